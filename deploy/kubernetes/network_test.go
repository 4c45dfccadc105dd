package kubernetes_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// A pod accepts exactly the listed connections. A named port that a pod does not have
// would open nothing.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	objects := allObjects(t)
	policies := of[*networkingv1.NetworkPolicy](objects)
	for _, deployment := range of[*appsv1.Deployment](objects) {
		ports := map[string]bool{}
		for _, port := range deployment.Spec.Template.Spec.Containers[0].Ports {
			ports[port.Name] = true
		}
		selected, accepted := 0, map[string]string{}
		for _, policy := range policies {
			require.Equal(t, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, policy.Spec.PolicyTypes)
			if !selects(t, &policy.Spec.PodSelector, deployment.Spec.Template) {
				continue
			}
			selected++
			for _, rule := range policy.Spec.Ingress {
				require.Len(t, rule.From, 1, "%s: an empty list accepts every sender", policy.Name)
				require.Len(t, rule.Ports, 1, "%s: an empty list opens every port", policy.Name)
				port := rule.Ports[0].Port.String()
				require.True(t, ports[port], "%s has no port %s", deployment.Name, port)
				accepted[port] = rule.From[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]
			}
		}
		require.Positive(t, selected, "no policy selects %s: it accepts everything", deployment.Name)
		want := map[string]string{"metrics": "monitoring"}
		if deployment.Name == "webhook" {
			want["http"] = "ingress-nginx"
		}
		require.Equal(t, want, accepted, deployment.Name)
	}
}
