package kubernetes_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// namespaceName is the label that Kubernetes sets on each namespace.
const namespaceName = "kubernetes.io/metadata.name"

// rolePods returns the pod templates of all roles by the name of their object, those of
// the worker controller included.
func rolePods(t *testing.T) map[string]corev1.PodTemplateSpec {
	t.Helper()
	_, controlled := controlled(t)
	pods := map[string]corev1.PodTemplateSpec{"controlled": controlled.Spec.Template}
	for _, deployment := range of[*appsv1.Deployment](allObjects(t)) {
		pods[deployment.Name] = deployment.Spec.Template
	}
	require.Len(t, pods, 4)
	return pods
}

// A pod accepts exactly the listed connections. A named port that a pod does not have
// would open nothing.
func TestIngressPolicies(t *testing.T) {
	t.Parallel()
	policies := of[*networkingv1.NetworkPolicy](allObjects(t))
	for name, pod := range rolePods(t) {
		ports := map[string]bool{}
		for _, port := range pod.Spec.Containers[0].Ports {
			ports[port.Name] = true
		}
		selected, accepted := 0, map[string]string{}
		for _, policy := range policies {
			if !selects(t, &policy.Spec.PodSelector, pod) || !slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
				continue
			}
			selected++
			for _, rule := range policy.Spec.Ingress {
				require.Len(t, rule.From, 1, "%s: an empty list accepts every sender", policy.Name)
				require.Len(t, rule.Ports, 1, "%s: an empty list opens every port", policy.Name)
				port := rule.Ports[0].Port.String()
				require.True(t, ports[port], "%s has no port %s", name, port)
				accepted[port] = rule.From[0].NamespaceSelector.MatchLabels[namespaceName]
			}
		}
		require.Positive(t, selected, "no policy selects %s: it accepts everything", name)
		want := map[string]string{"metrics": "monitoring"}
		if name == "webhook" {
			want["http"] = "ingress-nginx"
		}
		require.Equal(t, want, accepted, name)
	}
}

// destination is the other end of a connection: a pod by its labels and namespace, or an
// address outside the cluster.
type destination struct {
	namespace string
	labels    map[string]string
	address   string
	protocol  corev1.Protocol
	port      int32
}

// A pod opens exactly the connections of its role.
func TestEgressPolicies(t *testing.T) {
	t.Parallel()
	dns := map[string]string{"k8s-app": "kube-dns"}
	workers := []string{"controlled", "worker", "worker-v1-0-0"}
	all := []string{"controlled", "webhook", "worker", "worker-v1-0-0"}
	policies := of[*networkingv1.NetworkPolicy](allObjects(t))
	pods := rolePods(t)
	for _, c := range []struct {
		to   destination
		from []string
	}{
		{destination{namespace: "kube-system", labels: dns, protocol: corev1.ProtocolUDP, port: 53}, all},
		{destination{namespace: "kube-system", labels: dns, protocol: corev1.ProtocolTCP, port: 53}, all},
		{destination{namespace: "kube-system", labels: dns, protocol: corev1.ProtocolTCP, port: 9153}, nil},
		{destination{namespace: "kube-system", labels: map[string]string{"k8s-app": "other"}, protocol: corev1.ProtocolTCP, port: 53}, nil},
		{destination{namespace: "other", labels: dns, protocol: corev1.ProtocolUDP, port: 53}, nil},
		{destination{namespace: "temporal", protocol: corev1.ProtocolTCP, port: 7233}, all},
		{destination{namespace: "temporal", protocol: corev1.ProtocolTCP, port: 5432}, nil},
		{destination{namespace: "lumaflow", protocol: corev1.ProtocolTCP, port: 7233}, nil},
		{destination{namespace: "lumaflow", protocol: corev1.ProtocolTCP, port: 9464}, nil},
		{destination{address: "203.0.113.7", protocol: corev1.ProtocolTCP, port: 443}, workers},
		{destination{address: "2606:4700::6810", protocol: corev1.ProtocolTCP, port: 443}, workers},
		{destination{address: "203.0.113.7", protocol: corev1.ProtocolUDP, port: 443}, nil},
		{destination{address: "203.0.113.7", protocol: corev1.ProtocolTCP, port: 80}, nil},
		{destination{address: "10.96.0.1", protocol: corev1.ProtocolTCP, port: 443}, nil},
		{destination{address: "100.64.0.1", protocol: corev1.ProtocolTCP, port: 443}, nil},
		{destination{address: "127.0.0.1", protocol: corev1.ProtocolTCP, port: 443}, nil},
		{destination{address: "169.254.169.254", protocol: corev1.ProtocolTCP, port: 443}, nil},
		{destination{address: "172.31.0.1", protocol: corev1.ProtocolTCP, port: 443}, nil},
		{destination{address: "192.168.0.1", protocol: corev1.ProtocolTCP, port: 443}, nil},
		{destination{address: "fd00::1", protocol: corev1.ProtocolTCP, port: 443}, nil},
		{destination{address: "fe80::1", protocol: corev1.ProtocolTCP, port: 443}, nil},
	} {
		t.Run(fmt.Sprintf("%s%s%v:%s/%d", c.to.namespace, c.to.address, c.to.labels, c.to.protocol, c.to.port), func(t *testing.T) {
			t.Parallel()
			var from []string
			for name, pod := range pods {
				if reaches(t, policies, pod, c.to) {
					from = append(from, name)
				}
			}
			slices.Sort(from)
			require.Equal(t, c.from, from)
		})
	}
}

// The namespace and the port of TEMPORAL_ADDRESS are those of the policy.
func TestTemporalAddressIsReached(t *testing.T) {
	t.Parallel()
	config := of[*corev1.ConfigMap](allObjects(t))[0].Data
	var namespace string
	var port int32
	for _, policy := range of[*networkingv1.NetworkPolicy](allObjects(t)) {
		if policy.Name == "temporal" {
			rule := policy.Spec.Egress[len(policy.Spec.Egress)-1]
			namespace, port = rule.To[0].NamespaceSelector.MatchLabels[namespaceName], rule.Ports[0].Port.IntVal
		}
	}
	require.Equal(t, fmt.Sprintf("temporal-frontend.%s:%d", namespace, port), config["TEMPORAL_ADDRESS"])
}

// reaches reports whether a pod may open a connection: a pod that no policy of egress
// selects opens any, another one those of its policies.
func reaches(t *testing.T, policies []*networkingv1.NetworkPolicy, pod corev1.PodTemplateSpec, to destination) bool {
	t.Helper()
	restricted := false
	for _, policy := range policies {
		if !slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) || !selects(t, &policy.Spec.PodSelector, pod) {
			continue
		}
		restricted = true
		for _, rule := range policy.Spec.Egress {
			if opens(rule.Ports, to) && leadsTo(t, rule.To, to) {
				return true
			}
		}
	}
	return !restricted
}

// opens reports whether a list of ports has that of a destination; an empty one has all.
func opens(ports []networkingv1.NetworkPolicyPort, to destination) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(port networkingv1.NetworkPolicyPort) bool {
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		return protocol == to.protocol && (port.Port == nil || port.Port.IntVal == to.port)
	})
}

// leadsTo reports whether a list of peers has a destination; an empty one has all.
func leadsTo(t *testing.T, peers []networkingv1.NetworkPolicyPeer, to destination) bool {
	t.Helper()
	return len(peers) == 0 || slices.ContainsFunc(peers, func(peer networkingv1.NetworkPolicyPeer) bool {
		if peer.IPBlock != nil {
			return to.address != "" && inBlock(t, *peer.IPBlock, netip.MustParseAddr(to.address))
		}
		require.NotNil(t, peer.NamespaceSelector, "only pods of the policy's own namespace")
		return to.address == "" &&
			matches(t, peer.NamespaceSelector, map[string]string{namespaceName: to.namespace}) && matches(t, peer.PodSelector, to.labels)
	})
}

func inBlock(t *testing.T, block networkingv1.IPBlock, address netip.Addr) bool {
	t.Helper()
	whole, err := netip.ParsePrefix(block.CIDR)
	require.NoError(t, err)
	in := whole.Contains(address)
	for _, cidr := range block.Except {
		except, err := netip.ParsePrefix(cidr)
		require.NoError(t, err)
		require.True(t, whole.Contains(except.Addr()) && except.Bits() > whole.Bits(), "Kubernetes rejects %s outside of %s", cidr, block.CIDR)
		in = in && !except.Contains(address)
	}
	return in
}

// matches reports whether a selector selects a set of labels; without one, all are.
func matches(t *testing.T, selector *metav1.LabelSelector, set map[string]string) bool {
	t.Helper()
	if selector == nil {
		return true
	}
	chosen, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	return chosen.Matches(labels.Set(set))
}
