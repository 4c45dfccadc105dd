package kubernetes_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// definitions has the structural schema of each kind of some CustomResourceDefinitions.
type definitions map[schema.GroupVersionKind]*structuralschema.Structural

// add adds the versions of the CustomResourceDefinitions in a file, as a list or not, and
// ignores other objects.
func (d definitions) add(t *testing.T, content []byte) {
	t.Helper()
	for _, object := range documents(t, content) {
		if object.IsList() {
			require.NoError(t, object.EachListItem(func(item runtime.Object) error {
				d.addOne(t, item.(*unstructured.Unstructured))
				return nil
			}))
			continue
		}
		d.addOne(t, object)
	}
}

func (d definitions) addOne(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	if object.GetKind() != "CustomResourceDefinition" {
		return
	}
	var definition apiextensionsv1.CustomResourceDefinition
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &definition))
	for _, version := range definition.Spec.Versions {
		var properties apiextensions.JSONSchemaProps
		require.NoError(t, apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &properties, nil))
		structural, err := structuralschema.NewStructural(&properties)
		require.NoError(t, err)
		d[schema.GroupVersionKind{Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind}] = structural
	}
}

// check returns what an API server with strict field validation objects to: an unknown
// kind, unknown fields, values outside of the schema, and rules that do not hold.
func (d definitions) check(t *testing.T, object *unstructured.Unstructured) (found field.ErrorList) {
	t.Helper()
	structural := d[object.GroupVersionKind()]
	if structural == nil {
		return field.ErrorList{field.NotSupported(field.NewPath("kind"), object.GroupVersionKind().String(), []string{})}
	}
	pruned := object.DeepCopy().Object
	for _, path := range pruning.PruneWithOptions(pruned, structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		found = append(found, field.Forbidden(field.NewPath(path), "unknown field"))
	}
	validator := validation.NewSchemaValidatorFromOpenAPI(structural.ToKubeOpenAPI())
	found = append(found, validation.ValidateCustomResource(nil, object.Object, validator)...)
	if len(found) > 0 {
		return found
	}
	if rules := cel.NewValidator(structural, true, celconfig.PerCallLimit); rules != nil {
		found, _ = rules.Validate(t.Context(), nil, structural, object.Object, nil, celconfig.RuntimeCELCostBudget)
	}
	return found
}

// documents decodes the documents of a YAML file, with integers as the API server has
// them.
func documents(t *testing.T, content []byte) (objects []*unstructured.Unstructured) {
	t.Helper()
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		asJSON, err := yaml.YAMLToJSONStrict(document)
		require.NoError(t, err)
		var object map[string]any
		require.NoError(t, utiljson.Unmarshal(asJSON, &object))
		if len(object) > 0 {
			objects = append(objects, &unstructured.Unstructured{Object: object})
		}
	}
}

// A definition of this test: each kind of mistake is found, one at a time.
func TestDefinitionsFindMistakes(t *testing.T) {
	t.Parallel()
	defined := definitions{}
	defined.add(t, []byte(`
apiVersion: v1
kind: List
items:
  - apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: ferries.example.org}
    spec:
      group: example.org
      names: {kind: Ferry, plural: ferries}
      scope: Namespaced
      versions:
        - name: v1
          served: true
          storage: true
          schema:
            openAPIV3Schema:
              type: object
              properties:
                apiVersion: {type: string}
                kind: {type: string}
                metadata: {type: object}
                spec:
                  type: object
                  required: [route]
                  properties:
                    route: {type: string, enum: [Coast, Sea]}
                    knots: {type: integer, maximum: 40}
                    wait: {type: string}
                  x-kubernetes-validations:
                    - {rule: "!has(self.wait) || duration(self.wait) >= duration('30s')", message: too short}
`))
	for name, c := range map[string]struct{ spec, want string }{
		"valid":         {"{route: Sea, knots: 20, wait: 1m}", ""},
		"unknown field": {"{route: Sea, Knots: 20}", "unknown field"},
		"enumeration":   {"{route: Lake}", "Unsupported value"},
		"type":          {"{route: Sea, knots: fast}", "must be of type integer"},
		"limit":         {"{route: Sea, knots: 41}", "should be less than or equal to 40"},
		"missing field": {"{knots: 20}", "Required value"},
		"rule":          {"{route: Sea, wait: 10s}", "too short"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ferry := documents(t, []byte("apiVersion: example.org/v1\nkind: Ferry\nmetadata: {name: one}\nspec: "+c.spec))[0]
			found := defined.check(t, ferry)
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.ErrorContains(t, found[0], c.want)
		})
	}
	unknown := documents(t, []byte("apiVersion: example.org/v2\nkind: Ferry"))[0]
	require.Len(t, defined.check(t, unknown), 1)
}

// definitionsOf returns the folder with the CustomResourceDefinitions of the controller:
// those of the module whose types the tests use, or of an installed controller.
func definitionsOf(t *testing.T) string {
	t.Helper()
	if folder := os.Getenv("WORKER_CONTROLLER_CRDS"); folder != "" {
		return folder
	}
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/temporalio/temporal-worker-controller").Output()
	require.NoError(t, err)
	return filepath.Join(strings.TrimSpace(string(folder)), "helm", "temporal-worker-controller-crds", "templates")
}

// The CustomResourceDefinitions of the controller accept the manifests and reject
// mistakes.
func TestControllersDefinitionsAcceptTheManifests(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(definitionsOf(t), "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	defined := definitions{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		defined.add(t, content)
	}
	checkAgainst(t, defined)
}

// checkAgainst checks the manifests of the controller, and those with mistakes.
func checkAgainst(t *testing.T, defined definitions) {
	t.Helper()
	for file, list := range mistakes {
		good, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, object := range documents(t, good) {
			require.Empty(t, defined.check(t, object), file)
		}
		for _, mistake := range append(list, moreMistakes[file]...) {
			for _, object := range documents(t, broken(t, file, mistake)) {
				require.NotEmpty(t, defined.check(t, object), mistake)
			}
		}
	}
}

// moreMistakes are those that types don't reject: enumerations, limits, patterns, missing
// fields and rules across fields.
var moreMistakes = map[string][][2]string{
	"controller/workers.yaml": {
		{"strategy: Progressive", "strategy: Canary"}, {"rampPercentage: 25", "rampPercentage: 100"}, {"pauseDuration: 15m", "pauseDuration: 10s"},
		{"name: temporal\n", "name: Temporal\n"}, {"temporalNamespace: default", "temporalNamespace: \"\""},
	},
	"controller/connection.yaml": {{"hostPort: temporal-frontend.temporal:7233", "hostPort: temporal-frontend.temporal"}},
}
