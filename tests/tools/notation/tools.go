//go:build tools

// Package tools names the program that tests run: notation, which signs artifacts.
package tools

import _ "github.com/notaryproject/notation/cmd/notation"
