// Renders charts with Helm's own engine in one process, and tells how long each took.
//
// Each line of standard input is a JSON object {chart, values, release, namespace, times}: the path of a
// chart, the values over it as an object, the release's name and namespace, and how often to render.
// For each, one line is printed: {seconds} for the fastest rendering, or {error}. A rendering is what
// `helm template` does between loading a chart and printing: dependencies, values, schema, templates, and
// sorting what came out.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
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
	Times     int                    `json:"times"`
}

type answer struct {
	Seconds float64 `json:"seconds,omitempty"`
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
		var told answer
		fastest, err := measure(asked)
		if err != nil {
			told.Error = err.Error()
		} else {
			told.Seconds = fastest.Seconds()
		}
		if err := answers.Encode(told); err != nil {
			log.Fatal(err)
		}
	}
	if err := questions.Err(); err != nil {
		log.Fatal(err)
	}
}

func measure(asked question) (fastest time.Duration, err error) {
	for n := 0; n < asked.Times || n == 0; n++ {
		// Rendering changes the chart.
		loaded, err := loader.Load(asked.Chart)
		if err != nil {
			return 0, err
		}
		started := time.Now()
		if err := render(loaded, asked); err != nil {
			return 0, err
		}
		if took := time.Since(started); n == 0 || took < fastest {
			fastest = took
		}
	}
	return fastest, nil
}

func render(loaded *chart.Chart, asked question) error {
	if err := chartutil.ProcessDependenciesWithMerge(loaded, asked.Values); err != nil {
		return err
	}
	options := chartutil.ReleaseOptions{Name: asked.Release, Namespace: asked.Namespace, Revision: 1, IsInstall: true}
	capabilities := chartutil.DefaultCapabilities.Copy()
	values, err := chartutil.ToRenderValuesWithSchemaValidation(loaded, asked.Values, options, capabilities, false)
	if err != nil {
		return err
	}
	files, err := engine.Engine{}.Render(loaded, values)
	if err != nil {
		return err
	}
	for path := range files {
		if len(path) > 9 && path[len(path)-9:] == "NOTES.txt" {
			delete(files, path)
		}
	}
	_, _, err = releaseutil.SortManifests(files, capabilities.APIVersions, releaseutil.InstallOrder)
	return err
}
