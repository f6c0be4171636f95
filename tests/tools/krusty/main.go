// Builds kustomizations in process and prints how many milliseconds that takes, the sum over all
// folders of the fastest of so many turns each:
//
//	krusty TURNS FOLDER...
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("say how many turns, and which folders")
	}
	turns, err := strconv.Atoi(os.Args[1])
	if err != nil || turns < 1 {
		log.Fatalf("%q is no number of turns", os.Args[1])
	}
	var sum time.Duration
	for _, folder := range os.Args[2:] {
		best := time.Duration(1<<63 - 1)
		for range turns {
			best = min(best, build(folder))
		}
		sum += best
	}
	fmt.Println(float64(sum) / float64(time.Millisecond))
}

// build is one turn, from the files to the text.
func build(folder string) time.Duration {
	started := time.Now()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		log.Fatalf("%s: %v", folder, err)
	}
	if _, err := resources.AsYaml(); err != nil {
		log.Fatalf("%s: %v", folder, err)
	}
	return time.Since(started)
}
