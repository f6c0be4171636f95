// Archives the trees of archive.json with upstream's own code, and prints the cases with what came out:
// the names in the tarball and the digest of the unpacked tar stream.
//
//	go run . ../../../crates/artifact/tests/baseline/archive.json > new.json
package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/artifact/config"
	"github.com/fluxcd/pkg/artifact/storage"
	"github.com/fluxcd/pkg/sourceignore"
)

type file struct {
	Text       string `json:"text,omitempty"`
	Executable bool   `json:"executable,omitempty"`
	Link       string `json:"link,omitempty"`
	Folder     bool   `json:"folder,omitempty"`
}

type testCase struct {
	Name   string          `json:"name"`
	Files  map[string]file `json:"files"`
	Ignore *string         `json:"ignore,omitempty"`
	Names  []string        `json:"names"`
	Sha256 string          `json:"sha256"`
}

func main() {
	raw, err := os.ReadFile(os.Args[1])
	check(err)
	var cases []testCase
	check(json.Unmarshal(raw, &cases))
	for i := range cases {
		cases[i].Names = nil
		run(&cases[i])
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	check(encoder.Encode(cases))
}

func run(c *testCase) {
	dir, err := os.MkdirTemp("", "oracle")
	check(err)
	defer os.RemoveAll(dir)
	tree, data := filepath.Join(dir, "tree"), filepath.Join(dir, "data")
	check(os.MkdirAll(tree, 0o755))
	check(os.MkdirAll(filepath.Join(data, "kind/ns/name"), 0o755))
	for path, f := range c.Files {
		at := filepath.Join(tree, path)
		check(os.MkdirAll(filepath.Dir(at), 0o755))
		switch {
		case f.Folder:
			check(os.MkdirAll(at, 0o755))
		case f.Link != "":
			check(os.Symlink(f.Link, at))
		case f.Executable:
			check(os.WriteFile(at, []byte(f.Text), 0o755))
		default:
			check(os.WriteFile(at, []byte(f.Text), 0o644))
		}
	}
	store, err := storage.New(&config.Options{StoragePath: data, StorageAddress: ":9090", StorageAdvAddress: "x", ArtifactDigestAlgo: "sha256"})
	check(err)
	domain := strings.Split(tree, string(filepath.Separator))
	patterns, err := sourceignore.LoadIgnorePatterns(tree, domain)
	check(err)
	if c.Ignore != nil {
		patterns = append(patterns, sourceignore.ReadPatterns(strings.NewReader(*c.Ignore), domain)...)
	}
	artifact := meta.Artifact{Path: "kind/ns/name/x.tar.gz"}
	check(store.Archive(&artifact, tree, storage.SourceIgnoreFilter(patterns, domain)))
	packed, err := os.Open(filepath.Join(data, artifact.Path))
	check(err)
	unpacked, err := gzip.NewReader(packed)
	check(err)
	hash := sha256.New()
	archive := tar.NewReader(io.TeeReader(unpacked, hash))
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		check(err)
		c.Names = append(c.Names, fmt.Sprintf("%c %o %s", header.Typeflag, header.Mode, header.Name))
	}
	_, err = io.Copy(hash, unpacked)
	check(err)
	c.Sha256 = hex.EncodeToString(hash.Sum(nil))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
