//go:build tools

// Package tools names the program that tests run: a server that speaks as Google Cloud Storage does.
package tools

import _ "github.com/fsouza/fake-gcs-server"
