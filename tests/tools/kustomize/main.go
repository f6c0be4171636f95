// Prints one of the tables that crates/kustomize embeds:
//
//	go run . schema > ../../../crates/kustomize/src/table/schema.txt
//	go run . fields > ../../../crates/kustomize/src/table/fields.txt
//
// schema: what strategic merge needs of the OpenAPI description that kyaml embeds, and which kinds
// belong to the cluster. fields: the default field specs of the built-in transformers.
package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
	_ "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("say schema or fields")
	}
	switch os.Args[1] {
	case "schema":
		schema()
	case "fields":
		fields()
	default:
		log.Fatal("say schema or fields")
	}
}

type field struct{ name, text, to string }

func schema() {
	definitions := openapi.Schema().Definitions
	described := map[string][]field{}
	for name, definition := range definitions {
		described[name] = fieldsOf(&definition)
	}
	// What no merged list can be reached from is replaced whole anyway.
	kept := map[string]bool{}
	for changed := true; changed; {
		changed = false
		for name, list := range described {
			if kept[name] {
				continue
			}
			for _, f := range list {
				if strings.HasPrefix(f.text, "merge") || kept[f.to] {
					kept[name], changed = true, true
				}
			}
		}
	}
	fmt.Println("# Made by tests/tools/kustomize: what strategic merge knows of Kubernetes", openapi.GetSchemaVersion())
	for _, name := range sorted(described) {
		if !kept[name] {
			continue
		}
		fmt.Println("type", short(name))
		for _, f := range described[name] {
			switch {
			case strings.HasPrefix(f.text, "merge") && kept[f.to]:
				fmt.Println(f.name, f.text, short(f.to))
			case strings.HasPrefix(f.text, "merge"):
				fmt.Println(f.name, f.text)
			case kept[f.to]:
				fmt.Println(f.name, f.text, short(f.to))
			}
		}
	}
	kinds := map[string]string{}
	for name, definition := range definitions {
		gvks, _ := definition.Extensions["x-kubernetes-group-version-kind"].([]interface{})
		for _, gvk := range gvks {
			m := gvk.(map[string]interface{})
			apiVersion := m["version"].(string)
			if group, _ := m["group"].(string); group != "" {
				apiVersion = group + "/" + apiVersion
			}
			kinds[apiVersion+" "+m["kind"].(string)] = name
		}
	}
	for _, kind := range sorted(kinds) {
		to := "-"
		if kept[kinds[kind]] {
			to = short(kinds[kind])
		}
		at := strings.Fields(kind)
		scope := ""
		namespaced, known := openapi.IsNamespaceScoped(kyaml.TypeMeta{APIVersion: at[0], Kind: at[1]})
		if known && !namespaced {
			scope = " cluster"
		}
		if to != "-" || scope != "" {
			fmt.Println("kind", kind, to+scope)
		}
	}
}

func fieldsOf(definition *spec.Schema) (result []field) {
	for _, name := range sorted(definition.Properties) {
		property := definition.Properties[name]
		if f := fieldOf(name, &property); f != nil {
			result = append(result, *f)
		}
	}
	if more := definition.AdditionalProperties; more != nil && more.Schema != nil {
		if f := fieldOf("*", more.Schema); f != nil {
			result = append(result, *f)
		}
	}
	return result
}

func fieldOf(name string, property *spec.Schema) *field {
	if ref := refOf(property); ref != "" {
		return &field{name, "is", ref}
	}
	rs := openapi.ResourceSchema{Schema: property}
	strategy, keys := rs.PatchStrategyAndKeyList()
	for _, word := range strings.Split(strategy, ",") {
		if word == "merge" && property.Items != nil {
			text := "merge " + strings.Join(keys, ",")
			if len(keys) == 0 {
				text = "merge -"
			}
			return &field{name, text, refOf(property.Items.Schema)}
		}
	}
	if more := property.AdditionalProperties; more != nil && more.Schema != nil {
		if ref := refOf(more.Schema); ref != "" {
			return &field{name, "map", ref}
		}
	}
	return nil
}

func refOf(schema *spec.Schema) string {
	return strings.TrimPrefix(schema.Ref.String(), "#/definitions/")
}

func short(name string) string {
	for _, prefix := range []string{"io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s."} {
		if rest, found := strings.CutPrefix(name, prefix); found {
			return rest
		}
	}
	return name
}

func sorted[V any](m map[string]V) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

type fieldSpec struct {
	Group, Version, Kind, Path string
	Create                     bool
	FieldSpecs                 []fieldSpec
}

func fields() {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kustomize/api").Output()
	if err != nil {
		log.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(out)), "internal/konfig/builtinpluginconsts")
	files := token.NewFileSet()
	packages, err := parser.ParseDir(files, folder, nil, 0)
	if err != nil {
		log.Fatal(err)
	}
	sections := map[string][]fieldSpec{}
	for _, p := range packages {
		var parsed []*ast.File
		for _, file := range p.Files {
			parsed = append(parsed, file)
		}
		config := types.Config{Importer: importer.ForCompiler(files, "source", nil)}
		checked, err := config.Check(p.Name, files, parsed, nil)
		if err != nil {
			log.Fatal(err)
		}
		for _, name := range checked.Scope().Names() {
			value, ok := checked.Scope().Lookup(name).(*types.Const)
			if !ok || strings.HasPrefix(constant.StringVal(value.Val()), "\n-") {
				continue
			}
			// A part that other constants include is a bare list.
			_ = yaml.Unmarshal([]byte(constant.StringVal(value.Val())), &sections)
		}
	}
	fmt.Println("# Made by tests/tools/kustomize: the default field specs of kustomize v5.7.1")
	fmt.Println("# group version kind path [create]")
	for _, name := range sorted(sections) {
		if name != "nameReference" {
			fmt.Println("[" + name + "]")
			list(sections[name])
			continue
		}
		for _, target := range sections[name] {
			// kustomize's table has the group with a version here, which no kind can match.
			target.Group, _, _ = strings.Cut(target.Group, "/")
			fmt.Printf("[%s %s]\n", name, gvk(target))
			list(target.FieldSpecs)
		}
	}
}

func list(specs []fieldSpec) {
	for _, s := range specs {
		create := ""
		if s.Create {
			create = " create"
		}
		fmt.Println(gvk(s) + " " + s.Path + create)
	}
}

func gvk(s fieldSpec) string {
	words := []string{s.Group, s.Version, s.Kind}
	for i, word := range words {
		if word == "" {
			words[i] = "-"
		}
	}
	return strings.Join(words, " ")
}
