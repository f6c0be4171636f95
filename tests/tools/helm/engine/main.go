// Renders charts with Helm's own engine in one process, and tells how long each took.
//
// Each line of standard input is a JSON object {chart, values, release, namespace, kubeVersion,
// apiVersions, times}: the path of a chart, the values over it as an object, the release's name and
// namespace, what the cluster is and serves, and how often to render. For each, one line is printed:
// {seconds, sum} for the fastest rendering and the SHA-256 of its manifest, or {error}. A rendering is
// what `helm template` does between loading a chart and printing: dependencies, values, schema,
// templates, and sorting what came out.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
)

type question struct {
	Chart     string                 `json:"chart"`
	Values    map[string]interface{} `json:"values"`
	Release   string                 `json:"release"`
	Namespace string                 `json:"namespace"`
	Kube      string                 `json:"kubeVersion"`
	APIs      []string               `json:"apiVersions"`
	Times     int                    `json:"times"`
}

type answer struct {
	Seconds float64 `json:"seconds,omitempty"`
	Sum     string  `json:"sum,omitempty"`
	Error   string  `json:"error,omitempty"`
}

func main() {
	questions := bufio.NewScanner(os.Stdin)
	questions.Buffer(nil, 64<<20)
	answers := json.NewEncoder(os.Stdout)
	for questions.Scan() {
		var asked question
		if err := json.Unmarshal(questions.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		told, err := measure(asked)
		if err != nil {
			told = answer{Error: err.Error()}
		}
		if err := answers.Encode(told); err != nil {
			log.Fatal(err)
		}
	}
	if err := questions.Err(); err != nil {
		log.Fatal(err)
	}
}

func measure(asked question) (told answer, err error) {
	for n := 0; n < asked.Times || n == 0; n++ {
		// Rendering changes the chart.
		loaded, err := loader.Load(asked.Chart)
		if err != nil {
			return told, err
		}
		started := time.Now()
		manifests, err := render(loaded, asked)
		if err != nil {
			return told, err
		}
		if took := time.Since(started).Seconds(); n == 0 || took < told.Seconds {
			told.Seconds = took
		}
		told.Sum = sum(manifests)
	}
	return told, nil
}

func sum(manifests []releaseutil.Manifest) string {
	text := sha256.New()
	for _, manifest := range manifests {
		fmt.Fprintf(text, "---\n# Source: %s\n%s\n", manifest.Name, manifest.Content)
	}
	return hex.EncodeToString(text.Sum(nil))
}

func render(loaded *chart.Chart, asked question) ([]releaseutil.Manifest, error) {
	if err := chartutil.ProcessDependenciesWithMerge(loaded, asked.Values); err != nil {
		return nil, err
	}
	options := chartutil.ReleaseOptions{Name: asked.Release, Namespace: asked.Namespace, Revision: 1, IsInstall: true}
	capabilities := chartutil.DefaultCapabilities.Copy()
	version, err := chartutil.ParseKubeVersion(asked.Kube)
	if err != nil {
		return nil, err
	}
	capabilities.KubeVersion = *version
	capabilities.APIVersions = append(capabilities.APIVersions, asked.APIs...)
	values, err := chartutil.ToRenderValuesWithSchemaValidation(loaded, asked.Values, options, capabilities, false)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{}.Render(loaded, values)
	if err != nil {
		return nil, err
	}
	for path := range files {
		if strings.HasSuffix(path, "NOTES.txt") {
			delete(files, path)
		}
	}
	_, manifests, err := releaseutil.SortManifests(files, capabilities.APIVersions, releaseutil.InstallOrder)
	return manifests, err
}
