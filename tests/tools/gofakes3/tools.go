//go:build tools

// Package tools names the program that tests run: an S3 server in memory.
package tools

import _ "github.com/johannesboyne/gofakes3/cmd/gofakes3"
