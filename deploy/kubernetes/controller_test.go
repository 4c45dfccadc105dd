package kubernetes_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The spec of temporal.io/v1alpha1 in version 1.8 of temporal-worker-controller, as far
// as its users set it: names, types and limits are those of its API types
// (api/v1alpha1/workerdeployment_types.go, connection_types.go and
// workerresourcetemplate_types.go). Unknown fields are errors. The controller's module
// is no dependency, because it is not on every module proxy; definitions_test.go checks
// the same manifests against the CustomResourceDefinitions of a controller.

type workerDeployment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Replicas                *int32                 `json:"replicas,omitempty"`
		Template                corev1.PodTemplateSpec `json:"template"`
		MinReadySeconds         int32                  `json:"minReadySeconds,omitempty"`
		ProgressDeadlineSeconds *int32                 `json:"progressDeadlineSeconds,omitempty"`
		Rollout                 struct {
			Strategy string `json:"strategy"`
			Gate     *struct {
				WorkflowType string          `json:"workflowType"`
				Input        json.RawMessage `json:"input,omitempty"`
			} `json:"gate,omitempty"`
			Steps []struct {
				RampPercentage int             `json:"rampPercentage"`
				PauseDuration  metav1.Duration `json:"pauseDuration"`
			} `json:"steps,omitempty"`
		} `json:"rollout"`
		Sunset struct {
			ScaledownDelay *metav1.Duration `json:"scaledownDelay,omitempty"`
			DeleteDelay    *metav1.Duration `json:"deleteDelay,omitempty"`
		} `json:"sunset"`
		WorkerOptions struct {
			ConnectionRef       reference `json:"connectionRef"`
			TemporalNamespace   string    `json:"temporalNamespace"`
			UnsafeCustomBuildID string    `json:"unsafeCustomBuildID,omitempty"`
		} `json:"workerOptions"`
	} `json:"spec"`
}

type reference struct {
	Name string `json:"name"`
}

type connection struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		HostPort           string                    `json:"hostPort"`
		MutualTLSSecretRef *reference                `json:"mutualTLSSecretRef,omitempty"`
		APIKeySecretRef    *corev1.SecretKeySelector `json:"apiKeySecretRef,omitempty"`
	} `json:"spec"`
}

type workerResourceTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		WorkerDeploymentRef reference       `json:"workerDeploymentRef"`
		Template            json.RawMessage `json:"template"`
	} `json:"spec"`
}

func (w *workerDeployment) DeepCopyObject() runtime.Object       { return copied(w) }
func (c *connection) DeepCopyObject() runtime.Object             { return copied(c) }
func (w *workerResourceTemplate) DeepCopyObject() runtime.Object { return copied(w) }

func copied[T any](object *T) *T {
	shallow := *object
	return &shallow
}

// addController adds the types of the controller to a scheme.
func addController(scheme *runtime.Scheme) error {
	version := schema.GroupVersion{Group: "temporal.io", Version: "v1alpha1"}
	scheme.AddKnownTypeWithName(version.WithKind("WorkerDeployment"), &workerDeployment{})
	scheme.AddKnownTypeWithName(version.WithKind("Connection"), &connection{})
	scheme.AddKnownTypeWithName(version.WithKind("WorkerResourceTemplate"), &workerResourceTemplate{})
	return nil
}

// controlled returns the WorkerDeployment and its pod template as a Deployment, as the
// controller creates it.
func controlled(t *testing.T) (*workerDeployment, *appsv1.Deployment) {
	t.Helper()
	workers := of[*workerDeployment](build(t, "controller"))
	require.Len(t, workers, 1)
	return workers[0], &appsv1.Deployment{ObjectMeta: workers[0].ObjectMeta, Spec: appsv1.DeploymentSpec{
		Template: workers[0].Spec.Template, Selector: &metav1.LabelSelector{MatchLabels: workers[0].Labels},
	}}
}

// The rules of the controller's schema and of its admission webhook.
func TestControllerAcceptsTheWorkers(t *testing.T) {
	t.Parallel()
	objects := build(t, "controller")
	workers, _ := controlled(t)
	spec := workers.Spec
	name := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	require.LessOrEqual(t, len(workers.Name), 63)
	require.Contains(t, []corev1.RestartPolicy{"", corev1.RestartPolicyAlways}, spec.Template.Spec.RestartPolicy)
	require.Empty(t, spec.WorkerOptions.UnsafeCustomBuildID, "one build id is one code")

	require.Equal(t, "Progressive", spec.Rollout.Strategy)
	require.NotEmpty(t, spec.Rollout.Steps)
	require.LessOrEqual(t, len(spec.Rollout.Steps), 20)
	last := 0
	for _, step := range spec.Rollout.Steps {
		require.Greater(t, step.RampPercentage, last, "the shares grow")
		require.Less(t, step.RampPercentage, 100)
		require.GreaterOrEqual(t, step.PauseDuration.Duration, 30*time.Second)
		last = step.RampPercentage
	}
	code, err := os.ReadFile("../../worker/replay/gate.go")
	require.NoError(t, err)
	require.Contains(t, string(code), `GateName = "`+spec.Rollout.Gate.WorkflowType+`"`)
	require.Positive(t, spec.Sunset.ScaledownDelay.Duration)
	require.Greater(t, spec.Sunset.DeleteDelay.Duration, spec.Sunset.ScaledownDelay.Duration)

	connections := of[*connection](objects)
	require.Len(t, connections, 1)
	require.Regexp(t, name, spec.WorkerOptions.ConnectionRef.Name)
	require.Equal(t, connections[0].Name, spec.WorkerOptions.ConnectionRef.Name)
	require.Regexp(t, `^[a-zA-Z0-9.-]+:[0-9]+$`, connections[0].Spec.HostPort)
	require.Nil(t, connections[0].Spec.MutualTLSSecretRef)
	require.Nil(t, connections[0].Spec.APIKeySecretRef)
	config := of[*corev1.ConfigMap](build(t, "."))[0].Data
	require.Equal(t, config["TEMPORAL_ADDRESS"], connections[0].Spec.HostPort, "the webhook and the workers use one server")
	require.Equal(t, config["TEMPORAL_NAMESPACE"], spec.WorkerOptions.TemporalNamespace)

	for _, object := range objects {
		require.Equal(t, "lumaflow", object.(metav1.Object).GetNamespace())
	}
}

// The controller's workers are those of worker/, except for their label and for the
// variables that the controller sets: two values of one variable would stop them.
func TestControlledPodsAreThoseOfWorker(t *testing.T) {
	t.Parallel()
	_, pods := controlled(t)
	var plain *appsv1.Deployment
	for _, deployment := range of[*appsv1.Deployment](build(t, ".")) {
		if deployment.Name == "worker" {
			plain = deployment
		}
	}
	want, got := plain.Spec.Template.DeepCopy(), pods.Spec.Template.DeepCopy()
	require.Equal(t, "controlled", got.Labels["lumaflow/build"])
	got.Labels["lumaflow/build"] = want.Labels["lumaflow/build"]
	got.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels["lumaflow/build"] = want.Labels["lumaflow/build"]
	env := &want.Spec.Containers[0].Env
	*env = slices.DeleteFunc(*env, func(variable corev1.EnvVar) bool { return variable.Name == "TEMPORAL_API_KEY_FILE" })
	require.Equal(t, want, got)
	for _, variable := range *env {
		require.NotRegexp(t, "^TEMPORAL_", variable.Name, "the controller sets it")
	}
}

// The budget holds for the pods of every version, the autoscaler for each version.
func TestControlledPodsAreSelected(t *testing.T) {
	t.Parallel()
	objects := append(allObjects(t), build(t, "controller")...)
	_, pods := controlled(t)
	var budgets []string
	for _, budget := range of[*policyv1.PodDisruptionBudget](objects) {
		if selects(t, budget.Spec.Selector, pods.Spec.Template) {
			budgets = append(budgets, budget.Name)
		}
	}
	require.Equal(t, []string{"worker-controlled"}, budgets)
	for _, deployment := range of[*appsv1.Deployment](objects) {
		require.False(t, selects(t, deployment.Spec.Selector, pods.Spec.Template), deployment.Name)
	}

	workers, _ := controlled(t)
	templates := of[*workerResourceTemplate](objects)
	require.Len(t, templates, 1)
	require.Equal(t, workers.Name, templates[0].Spec.WorkerDeploymentRef.Name)
	require.Nil(t, workers.Spec.Replicas, "the autoscaler sets them")
	require.Contains(t, string(templates[0].Spec.Template), `"scaleTargetRef":{}`, "the controller inserts the Deployment of the version")
	decoded, err := decode(templates[0].Spec.Template)
	require.NoError(t, err)
	scaler, ok := decoded.(*autoscalingv2.HorizontalPodAutoscaler)
	require.True(t, ok, "the controller accepts no other kind by default")
	require.Empty(t, scaler.Name, "the controller names it")
	require.GreaterOrEqual(t, *scaler.Spec.MinReplicas, int32(2))
	require.Greater(t, scaler.Spec.MaxReplicas, *scaler.Spec.MinReplicas)
}

// mistakes are typical ones in the manifests of the controller.
var mistakes = map[string][][2]string{
	"controller/workers.yaml": {
		{"kind: WorkerDeployment", "kind: WorkerDeploy"}, {"connectionRef:", "connection:"}, {"scaledownDelay: 1h", "scaledownDelay: 3600"},
		{"rampPercentage: 25", "rampPercentage: half"}, {"workflowType:", "workflow:"}, {"fsGroup:", "fsgroup:"},
	},
	"controller/connection.yaml": {{"hostPort:", "address:"}},
	"controller/scaling.yaml":    {{"workerDeploymentRef:", "temporalWorkerDeploymentReference:"}},
}

// broken returns a manifest with a mistake in the place of what is right.
func broken(t *testing.T, file string, mistake [2]string) []byte {
	t.Helper()
	good, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(good), mistake[0])
	return []byte(strings.ReplaceAll(string(good), mistake[0], mistake[1]))
}

func TestInvalidWorkersAreRejected(t *testing.T) {
	t.Parallel()
	for file, list := range mistakes {
		good, err := os.ReadFile(file)
		require.NoError(t, err)
		_, err = decode(good)
		require.NoError(t, err)
		for _, mistake := range list {
			_, err := decode(broken(t, file, mistake))
			require.Error(t, err, mistake)
		}
	}
}
