package kubernetes_test

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// of returns the objects of one type.
func of[T runtime.Object](objects []runtime.Object) (selected []T) {
	for _, object := range objects {
		if typed, ok := object.(T); ok {
			selected = append(selected, typed)
		}
	}
	return selected
}

func selects(t *testing.T, selector *metav1.LabelSelector, pod corev1.PodTemplateSpec) bool {
	t.Helper()
	chosen, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	return chosen.Matches(labels.Set(pod.Labels))
}

// allObjects returns the objects of both builds, which share a cluster, and the
// example Secret.
func allObjects(t *testing.T) []runtime.Object {
	t.Helper()
	objects := append(build(t, "."), build(t, "version")...)
	secret, err := os.ReadFile(example)
	require.NoError(t, err)
	return append(objects, decodeAll(t, example, secret)...)
}

func TestSelectors(t *testing.T) {
	t.Parallel()
	objects := allObjects(t)
	deployments := of[*appsv1.Deployment](objects)
	require.Len(t, deployments, 3)
	selected := func(selector *metav1.LabelSelector) (names []string) {
		for _, deployment := range deployments {
			if selects(t, selector, deployment.Spec.Template) {
				names = append(names, deployment.Name)
			}
		}
		return names
	}
	for _, deployment := range deployments {
		require.Equal(t, "lumaflow", deployment.Namespace)
		require.Equal(t, []string{deployment.Name}, selected(deployment.Spec.Selector))
		for _, spread := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
			require.Equal(t, []string{deployment.Name}, selected(spread.LabelSelector))
		}
	}
	budgets := of[*policyv1.PodDisruptionBudget](objects)
	require.Len(t, budgets, len(deployments))
	for _, budget := range budgets {
		require.Equal(t, []string{budget.Name}, selected(budget.Spec.Selector))
	}
	for _, service := range of[*corev1.Service](objects) {
		require.Equal(t, []string{"webhook"}, selected(&metav1.LabelSelector{MatchLabels: service.Spec.Selector}))
	}
}

func TestPodSecurityAndProbes(t *testing.T) {
	t.Parallel()
	objects := allObjects(t)
	config := of[*corev1.ConfigMap](objects)[0].Data
	// The drain time of a role, in seconds: worker/worker.go, webhook/serve.go after
	// webhook/linger.go, and 6 for telemetry.
	drain := map[string]int64{"worker": 75 + 6, "webhook": 5 + 20 + 6}
	for _, deployment := range of[*appsv1.Deployment](objects) {
		pod := deployment.Spec.Template.Spec
		require.Len(t, pod.Containers, 1)
		container := pod.Containers[0]
		require.Equal(t, []string{container.Name}, container.Args)
		require.GreaterOrEqual(t, *pod.TerminationGracePeriodSeconds, drain[container.Name])

		require.False(t, *pod.AutomountServiceAccountToken)
		require.True(t, *pod.SecurityContext.RunAsNonRoot)
		require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
		require.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
		require.False(t, *container.SecurityContext.AllowPrivilegeEscalation)
		require.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop)
		require.NotContains(t, container.Image, ":latest")
		require.Contains(t, container.Image, ":")

		require.False(t, container.Resources.Requests.Cpu().IsZero())
		require.False(t, container.Resources.Requests.Memory().IsZero())
		require.False(t, container.Resources.Limits.Memory().IsZero())
		goLimit := slices.IndexFunc(container.Env, func(variable corev1.EnvVar) bool { return variable.Name == "GOMEMLIMIT" })
		require.NotEqual(t, -1, goLimit, "the Go runtime has no memory limit")
		mebibytes, err := strconv.ParseInt(strings.TrimSuffix(container.Env[goLimit].Value, "MiB"), 10, 64)
		require.NoError(t, err)
		require.InEpsilon(t, 0.8*float64(container.Resources.Limits.Memory().Value()), mebibytes<<20, 0.01)

		ports := map[string]int32{}
		for _, port := range container.Ports {
			ports[port.Name] = port.ContainerPort
		}
		require.Equal(t, ":9464", config["METRICS_LISTEN"])
		require.EqualValues(t, 9464, ports["metrics"])
		for path, probe := range map[string]*corev1.Probe{"/healthz": container.LivenessProbe, "/readyz": container.ReadinessProbe} {
			require.Equal(t, path, probe.HTTPGet.Path)
			require.Equal(t, "metrics", probe.HTTPGet.Port.String())
		}
	}
}

// A rolling update of the webhook loses no callback: a new pod is ready first, and the
// old one answers until load balancers stop sending requests.
func TestWebhookRollingUpdate(t *testing.T) {
	t.Parallel()
	for _, deployment := range of[*appsv1.Deployment](build(t, ".")) {
		if deployment.Name != "webhook" {
			continue
		}
		require.Greater(t, *deployment.Spec.Replicas, int32(1))
		require.Zero(t, deployment.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue())
		// A pod gets SIGTERM while load balancers still send requests. With a metrics
		// port the webhook itself waits for them; a preStop hook would only add time and
		// would not close kept connections.
		require.NotEmpty(t, of[*corev1.ConfigMap](build(t, "."))[0].Data["METRICS_LISTEN"])
		require.Nil(t, deployment.Spec.Template.Spec.Containers[0].Lifecycle)
		return
	}
	require.Fail(t, "there is no webhook")
}

// Workers write to a mounted volume.
func TestWorkerVolumes(t *testing.T) {
	t.Parallel()
	objects := allObjects(t)
	config := of[*corev1.ConfigMap](objects)[0].Data
	claims := of[*corev1.PersistentVolumeClaim](objects)
	require.Len(t, claims, 1)
	require.Equal(t, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}, claims[0].Spec.AccessModes, "all workers mount the claim")
	for _, deployment := range of[*appsv1.Deployment](objects) {
		pod := deployment.Spec.Template.Spec
		if pod.Containers[0].Name != "worker" {
			require.Len(t, pod.Volumes, 1, "secrets alone")
			continue
		}
		require.Len(t, pod.Volumes, 2)
		require.Equal(t, claims[0].Name, pod.Volumes[0].PersistentVolumeClaim.ClaimName)
		require.EqualValues(t, 65532, *pod.SecurityContext.FSGroup)
		mount := pod.Containers[0].VolumeMounts[0]
		require.Equal(t, pod.Volumes[0].Name, mount.Name)
		require.False(t, mount.ReadOnly)
		for _, variable := range []string{"OUTPUT_URL", "WORK_DIR"} {
			require.True(t, strings.HasPrefix(config[variable], mount.MountPath+"/"), variable)
		}
	}
}

// The role reads every variable, and its source exists.
func TestVariables(t *testing.T) {
	t.Parallel()
	objects := allObjects(t)
	config := of[*corev1.ConfigMap](objects)[0]
	secret := of[*corev1.Secret](objects)[0]
	table, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	documented := func(variable string) bool { return strings.Contains(string(table), "`"+variable+"`") }
	require.Equal(t, "false", config.Data["CODEC_ACCEPT_PLAINTEXT"], "both roles refuse plaintext unless the upgrade needs it")
	require.Empty(t, config.Data["CODEC_KEYS_FILE"], "a file that does not exist stops every pod")
	for variable := range config.Data {
		name, file := strings.CutSuffix(variable, "_FILE")
		require.True(t, documented(name), "%s is not in docs/configuration.md", name)
		if !file {
			require.NotRegexp(t, "KEY|SECRET|PASSWORD", variable, "secrets belong in the Secret")
		}
	}
	for _, deployment := range of[*appsv1.Deployment](objects) {
		container := deployment.Spec.Template.Spec.Containers[0]
		help := help(t, container.Name)
		require.Equal(t, config.Name, container.EnvFrom[0].ConfigMapRef.Name)
		given := map[string]bool{}
		files := secretFiles(t, deployment.Spec.Template.Spec, secret)
		for _, variable := range container.Env {
			require.False(t, given[variable.Name], "duplicate variable %s", variable.Name)
			given[variable.Name] = true
			require.Nil(t, variable.ValueFrom, "%s: secrets are files", variable.Name)
			require.NotContains(t, config.Data, variable.Name)
			name, file := strings.CutSuffix(variable.Name, "_FILE")
			// No flags: the connection to Temporal, the version and the Go runtime.
			if !slices.Contains([]string{"TEMPORAL_API_KEY", "GOMEMLIMIT"}, name) {
				require.Contains(t, help, "$"+name, "%s does not read it", container.Name)
			}
			if !file {
				require.NotRegexp(t, "KEY|SECRET|PASSWORD", variable.Name)
				continue
			}
			required, mounted := files[name]
			require.True(t, mounted, "%s is not in the volume", name)
			if required {
				require.Equal(t, secretsFolder+"/"+name, variable.Value)
			} else {
				require.Empty(t, variable.Value, "%s is optional", variable.Name)
			}
		}
		require.Contains(t, files, "CODEC_KEYS")
		require.Contains(t, files, "TEMPORAL_API_KEY")
		if container.Name == "worker" {
			require.True(t, given["KIE_API_KEY_FILE"])
		} else {
			require.False(t, given["KIE_API_KEY_FILE"], "only workers need the key")
		}
		require.True(t, given["CALLBACK_SECRET_FILE"])
	}
}

const secretsFolder = "/run/secrets/lumaflow"

// secretFiles returns the keys of the Secret that a pod has as files, and whether the
// pod requires them. A pod has no others.
func secretFiles(t *testing.T, pod corev1.PodSpec, secret *corev1.Secret) map[string]bool {
	t.Helper()
	files := map[string]bool{}
	mounts := pod.Containers[0].VolumeMounts
	mount := slices.IndexFunc(mounts, func(mount corev1.VolumeMount) bool { return mount.MountPath == secretsFolder })
	require.NotEqual(t, -1, mount)
	require.True(t, mounts[mount].ReadOnly)
	for _, volume := range pod.Volumes {
		if volume.Name != mounts[mount].Name {
			continue
		}
		// The files belong to root and to the group of the pod.
		require.EqualValues(t, 0o440, *volume.Projected.DefaultMode)
		require.Equal(t, *pod.SecurityContext.RunAsGroup, *pod.SecurityContext.FSGroup)
		for _, source := range volume.Projected.Sources {
			required := source.Secret.Optional == nil || !*source.Secret.Optional
			require.Equal(t, secret.Name, source.Secret.Name)
			for _, item := range source.Secret.Items {
				require.Equal(t, item.Key, item.Path)
				files[item.Key] = required
				if required {
					require.Contains(t, secret.StringData, item.Key)
				}
			}
		}
	}
	worker := pod.Containers[0].Name == "worker"
	_, ofWorker := files["KIE_API_KEY"]
	require.Equal(t, worker, ofWorker, "only workers need the key")
	_, ofWebhook := files["KIE_WEBHOOK_HMAC_KEY"]
	require.Equal(t, !worker, ofWebhook, "only the webhook needs the key of signatures")
	return files
}

func help(t *testing.T, role string) string {
	t.Helper()
	run := exec.CommandContext(t.Context(), "go", "run", "-buildvcs=false", ".", role, "--help")
	run.Dir = "../.."
	output, err := run.Output()
	require.NoError(t, err)
	return string(output)
}

// Image, build id, label and name of a version agree.
func TestVersionIsConsistent(t *testing.T) {
	t.Parallel()
	deployment := of[*appsv1.Deployment](build(t, "version"))[0]
	container := deployment.Spec.Template.Spec.Containers[0]
	given := map[string]string{}
	for _, variable := range container.Env {
		given[variable.Name] = variable.Value
	}
	require.Equal(t, "lumaflow", given["TEMPORAL_DEPLOYMENT_NAME"])
	id := given["TEMPORAL_WORKER_BUILD_ID"]
	require.True(t, strings.HasSuffix(container.Image, ":"+id), container.Image)
	require.Equal(t, id, deployment.Spec.Template.Labels["lumaflow/build"])
	require.Equal(t, "worker-"+strings.ReplaceAll(id, ".", "-"), deployment.Name)
}

func TestIngress(t *testing.T) {
	t.Parallel()
	objects := allObjects(t)
	ingress := of[*networkingv1.Ingress](objects)[0]
	service := of[*corev1.Service](objects)[0]
	rule := ingress.Spec.Rules[0]
	require.Equal(t, "https://"+rule.Host, of[*corev1.ConfigMap](objects)[0].Data["CALLBACK_BASE_URL"])
	require.Equal(t, []string{rule.Host}, ingress.Spec.TLS[0].Hosts)
	path := rule.HTTP.Paths[0]
	require.Equal(t, "/callbacks/luma/", path.Path)
	require.Equal(t, service.Name, path.Backend.Service.Name)
	require.Equal(t, service.Spec.Ports[0].Name, path.Backend.Service.Port.Name)
	var webhook *appsv1.Deployment
	for _, deployment := range of[*appsv1.Deployment](objects) {
		if deployment.Name == service.Name {
			webhook = deployment
		}
	}
	require.NotNil(t, webhook)
	var names []string
	for _, port := range webhook.Spec.Template.Spec.Containers[0].Ports {
		names = append(names, port.Name)
	}
	require.Contains(t, names, service.Spec.Ports[0].TargetPort.String())
}
