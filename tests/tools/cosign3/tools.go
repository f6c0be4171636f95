//go:build tools

// Package tools names the program that tests run: cosign, which signs artifacts.
package tools

import _ "github.com/sigstore/cosign/v3/cmd/cosign"
