//go:build tools

// Package tools names the server that the tests build.
package tools

import _ "github.com/distribution/distribution/v3/cmd/registry"
