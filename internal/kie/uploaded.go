package kie

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// UploadLifetime is the minimum time for which kie.ai keeps an upload: its pages
// document 24 hours in one place and three days in another.
const UploadLifetime = 24 * time.Hour

// Uploaded is an uploaded video at kie.ai.
type Uploaded struct {
	// URL is the address to submit: https on any public host, or on the upload host,
	// with http only if the upload was http.
	URL string
	// Expires is the documented deletion time; zero if the answer has none. Only
	// one of the two documented shapes has it.
	Expires time.Time
}

// uploaded decodes the answer to an upload of size bytes; zero or less means an
// unknown size. The two documented shapes of the answer have downloadUrl in
// common; fileUrl is a fallback.
func (c *Client) uploaded(a answer, size int64) (Uploaded, error) {
	if !a.readable() || string(a.fields["success"]) == "false" {
		err := a.readError()
		if ClassOf(err) == NotFound {
			return Uploaded{}, a.newError(Refused, a.err)
		}
		return Uploaded{}, err
	}
	if kept, ok := a.data.integer("fileSize"); ok && size > 0 && int64(kept) != size {
		return Uploaded{}, a.newError(Temporary, fmt.Errorf("kie.ai kept %d bytes of %d", kept, size))
	}
	found := a.data.links("downloadUrl", "fileUrl")
	if len(found.usable) == 0 {
		return Uploaded{}, a.newError(Temporary, found.err())
	}
	if err := c.checkLink(found.usable[0]); err != nil {
		return Uploaded{}, a.newError(Refused, err)
	}
	// An invalid time counts as absent.
	expires, _ := time.Parse(time.RFC3339, asText(a.data["expiresAt"]))
	return Uploaded{URL: found.usable[0], Expires: expires}, nil
}

// checkLink rejects a link that kie.ai's models can't fetch: one that is not https, or
// of a host that is not public. Any public host is accepted: uploads move between
// CDNs, and the link has no secret to protect. A test or a development setup has the
// link on the upload host itself.
func (c *Client) checkLink(link string) error {
	address, err := url.Parse(link)
	switch {
	case err != nil || address.Hostname() == "" || address.User != nil:
		return errors.New("the answer holds no proper link to the video")
	case address.Scheme == c.uploads.Scheme && strings.EqualFold(address.Hostname(), c.uploads.Hostname()):
		return nil
	case address.Scheme != "https":
		return errors.New("the answer's link to the video is not https")
	case !publicHost(address.Hostname()):
		return fmt.Errorf("the answer's link to the video is on %s, which is no public host", address.Hostname())
	default:
		return nil
	}
}

// publicHost reports whether a host may be on the internet. This is no guard: only
// kie.ai contacts the host.
func publicHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap()
		return address.IsGlobalUnicast() && !address.IsPrivate()
	}
	host = "." + strings.TrimSuffix(host, ".")
	return strings.LastIndexByte(host, '.') > 0 && !slices.ContainsFunc(localDomains, func(domain string) bool {
		return strings.HasSuffix(host, domain)
	})
}

// localDomains are the domains that no public DNS has. (RFC 6761, RFC 6762, ICANN)
var localDomains = []string{".localhost", ".local", ".internal", ".invalid", ".test"}
