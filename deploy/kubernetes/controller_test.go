package kubernetes_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	temporalv1alpha1 "github.com/temporalio/temporal-worker-controller/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// controlled returns the WorkerDeployment and its pod template as a Deployment, as the
// controller creates it.
func controlled(t *testing.T) (*temporalv1alpha1.WorkerDeployment, *appsv1.Deployment) {
	t.Helper()
	workers := of[*temporalv1alpha1.WorkerDeployment](build(t, "controller"))
	require.Len(t, workers, 1)
	return workers[0], &appsv1.Deployment{ObjectMeta: workers[0].ObjectMeta, Spec: appsv1.DeploymentSpec{
		Template: workers[0].Spec.Template, Selector: &metav1.LabelSelector{MatchLabels: workers[0].Labels},
	}}
}

// The admission webhooks of the controller accept the manifests, and reject what they
// alone check.
func TestAdmissionOfTheController(t *testing.T) {
	t.Parallel()
	objects := build(t, "controller")
	workers, _ := controlled(t)
	_, err := workers.ValidateCreate(t.Context(), workers)
	require.NoError(t, err)
	shrinking := workers.DeepCopy()
	shrinking.Spec.RolloutStrategy.Steps[1].RampPercentage = 1
	_, err = shrinking.ValidateCreate(t.Context(), shrinking)
	require.ErrorContains(t, err, "must increase")

	template := of[*temporalv1alpha1.WorkerResourceTemplate](objects)[0]
	require.Empty(t, rejections(t, template))
	targeted := template.DeepCopy()
	targeted.Spec.Template.Raw = bytes.Replace(targeted.Spec.Template.Raw, []byte(`"scaleTargetRef":{}`), []byte(`"scaleTargetRef":{"name":"worker"}`), 1)
	require.Len(t, rejections(t, targeted), 1)
}

// rejections returns the causes for which the controller's webhook rejects a template.
// The last check of the webhook, the permissions of the person who applies it, needs an
// API server and is left out.
func rejections(t *testing.T, template *temporalv1alpha1.WorkerResourceTemplate) (causes []metav1.StatusCause) {
	t.Helper()
	// The kind that the controller's chart allows by default.
	validator := &temporalv1alpha1.WorkerResourceTemplateValidator{AllowedKinds: []string{"HorizontalPodAutoscaler"}}
	_, err := validator.ValidateCreate(t.Context(), template)
	status, ok := errors.AsType[*apierrors.StatusError](err)
	require.True(t, ok, err)
	return slices.DeleteFunc(status.ErrStatus.Details.Causes, func(cause metav1.StatusCause) bool {
		return strings.Contains(cause.Message, "Client and RESTMapper must be set")
	})
}

// The gate is the workflow of this repository, and the controller uses the server and the
// namespace of the webhook.
func TestControllerFitsTheWorkers(t *testing.T) {
	t.Parallel()
	objects := build(t, "controller")
	workers, _ := controlled(t)
	spec := workers.Spec
	require.Empty(t, spec.WorkerOptions.UnsafeCustomBuildID, "one build id is one code")
	require.Less(t, spec.RolloutStrategy.Steps[len(spec.RolloutStrategy.Steps)-1].RampPercentage, 100)
	code, err := os.ReadFile("../../worker/replay/gate.go")
	require.NoError(t, err)
	require.Contains(t, string(code), `GateName = "`+spec.RolloutStrategy.Gate.WorkflowType+`"`)
	require.Positive(t, spec.SunsetStrategy.ScaledownDelay.Duration)
	require.Greater(t, spec.SunsetStrategy.DeleteDelay.Duration, spec.SunsetStrategy.ScaledownDelay.Duration)

	connections := of[*temporalv1alpha1.Connection](objects)
	require.Len(t, connections, 1)
	require.Equal(t, connections[0].Name, spec.WorkerOptions.ConnectionRef.Name)
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
	templates := of[*temporalv1alpha1.WorkerResourceTemplate](objects)
	require.Len(t, templates, 1)
	require.Equal(t, workers.Name, templates[0].Spec.WorkerDeploymentRef.Name)
	require.Nil(t, workers.Spec.Replicas, "the autoscaler sets them")
	require.Contains(t, string(templates[0].Spec.Template.Raw), `"scaleTargetRef":{}`, "the controller inserts the Deployment of the version")
	decoded, err := decode(templates[0].Spec.Template.Raw)
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
