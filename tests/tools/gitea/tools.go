//go:build tools

// Package tools names the program that tests run: a Git forge.
package tools

import _ "code.gitea.io/gitea"
