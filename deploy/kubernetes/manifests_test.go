// Package kubernetes_test checks the manifests against Kubernetes' types and against
// each other, without a cluster. It is a module of its own to keep Kubernetes out of
// lumaflow's dependencies.
package kubernetes_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	temporalv1alpha1 "github.com/temporalio/temporal-worker-controller/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const example = "secret.example.yaml"

// kustomizations are the folders for kubectl apply -k, bases the folders that they
// include.
var (
	kustomizations = []string{".", "version", "controller"}
	bases          = []string{"worker"}
)

// decode decodes one manifest and rejects unknown and duplicate fields.
func decode(manifest []byte) (runtime.Object, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme, autoscalingv2.AddToScheme, temporalv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	object, _, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer().Decode(manifest, nil, nil)
	return object, err
}

// decodeAll decodes the manifests of a file or a build.
func decodeAll(t *testing.T, name string, content []byte) (objects []runtime.Object) {
	t.Helper()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err, name)
		object, err := decode(document)
		require.NoError(t, err, name)
		objects = append(objects, object)
	}
}

// build returns the objects of `kubectl apply -k`.
func build(t *testing.T, folder string) []runtime.Object {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	require.NoError(t, err)
	content, err := resources.AsYaml()
	require.NoError(t, err)
	return decodeAll(t, folder, content)
}

// manifests returns the files of a folder that its kustomization must list.
func manifests(t *testing.T, folder string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	require.NoError(t, err)
	for _, file := range files {
		if name := filepath.Base(file); name != "kustomization.yaml" && name != example {
			names = append(names, name)
		}
	}
	return names
}

func TestManifestsAreListedAndValid(t *testing.T) {
	t.Parallel()
	for _, folder := range append(bases, kustomizations...) {
		content, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
		require.NoError(t, err)
		var kustomization types.Kustomization
		require.NoError(t, yaml.UnmarshalStrict(content, &kustomization), folder)
		var listed []string
		for _, resource := range kustomization.Resources {
			if strings.HasSuffix(resource, ".yaml") {
				listed = append(listed, resource)
			}
		}
		require.ElementsMatch(t, manifests(t, folder), listed, folder)
		for _, name := range listed {
			content, err := os.ReadFile(filepath.Join(folder, name))
			require.NoError(t, err)
			require.NotEmpty(t, decodeAll(t, name, content))
		}
	}
	folders, err := filepath.Glob("*/kustomization.yaml")
	require.NoError(t, err)
	require.Len(t, folders, len(bases)+len(kustomizations)-1, "a folder is missing in this test")
}

func TestKustomizationsBuild(t *testing.T) {
	t.Parallel()
	for folder, kinds := range map[string][]string{
		".":          {"Namespace", "ConfigMap", "PersistentVolumeClaim", "Deployment", "Service", "PodDisruptionBudget", "Ingress", "Deployment", "PodDisruptionBudget", "NetworkPolicy", "NetworkPolicy", "NetworkPolicy", "NetworkPolicy"},
		"version":    {"Deployment", "PodDisruptionBudget"},
		"controller": {"Connection", "WorkerDeployment", "WorkerResourceTemplate", "PodDisruptionBudget"},
	} {
		var built []string
		for _, object := range build(t, folder) {
			built = append(built, object.GetObjectKind().GroupVersionKind().Kind)
		}
		require.ElementsMatch(t, kinds, built, folder)
	}
}

// decode rejects a manifest with a typical mistake.
func TestInvalidManifestsAreRejected(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("worker/deployment.yaml")
	require.NoError(t, err)
	_, err = decode(good)
	require.NoError(t, err)
	for name, mistake := range map[string][2]string{
		"an unknown field":   {"readOnlyRootFilesystem:", "readOnlyRootFileSystem:"},
		"wrong indentation":  {"      terminationGracePeriodSeconds:", "  terminationGracePeriodSeconds:"},
		"a duplicate field":  {"  replicas: 2", "  replicas: 2\n  replicas: 3"},
		"a wrong type":       {"replicas: 2", "replicas: two"},
		"an unknown kind":    {"kind: Deployment", "kind: Deploy"},
		"an unknown version": {"apps/v1", "apps/v9"},
	} {
		broken := strings.Replace(string(good), mistake[0], mistake[1], 1)
		require.NotEqual(t, string(good), broken, name)
		_, err := decode([]byte(broken))
		require.Error(t, err, name)
	}
}

// The arguments of a process, and the history of a shell, are readable.
func TestSecretsAreNotArguments(t *testing.T) {
	for _, file := range []string{"README.md", "secret.example.yaml"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(content), "--from-file=CALLBACK_SECRET=") || strings.Contains(string(content), "--from-literal") {
			t.Errorf("%s: the command that creates the Secret has secrets as arguments", file)
		}
	}
}
