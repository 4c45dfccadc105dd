package kie

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

// UploadLifetime is the minimum time for which kie.ai keeps an upload: its pages
// document 24 hours in one place and three days in another.
const UploadLifetime = 24 * time.Hour

// fileHosts are the domains of file links in kie.ai's pages, beside that of the
// upload host (file-upload-api, luma-api/get-luma-modify-details).
var fileHosts = []string{"redpandaai.co", "aiquickdraw.com", "kie.ai"}

// Uploaded is an uploaded video at kie.ai.
type Uploaded struct {
	// URL is the address to submit. Its host is one of kie.ai's or in the domain
	// of the upload host; it is https if the upload was.
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
	for _, spelling := range []string{"downloadUrl", "fileUrl"} {
		links := linksIn(a.data[spelling])
		if len(links) == 0 {
			continue
		}
		if err := c.checkLink(links[0]); err != nil {
			return Uploaded{}, a.newError(Refused, err)
		}
		// An invalid time counts as absent.
		expires, _ := time.Parse(time.RFC3339, asText(a.data["expiresAt"]))
		return Uploaded{URL: links[0], Expires: expires}, nil
	}
	return Uploaded{}, a.newError(Temporary, errors.New("the answer holds no link"))
}

// checkLink rejects a link to any other host than kie.ai's: the job would pay for
// a foreign video.
func (c *Client) checkLink(link string) error {
	address, err := url.Parse(link)
	switch {
	case err != nil || address.Hostname() == "" || address.User != nil:
		return errors.New("the answer holds no proper link to the video")
	case address.Scheme != "https" && c.uploads.Scheme == "https":
		return errors.New("the answer's link to the video is not https")
	case !c.ownFileHost(address.Hostname()):
		return fmt.Errorf("the answer's link to the video is on %s, which is no host of kie.ai's", address.Hostname())
	default:
		return nil
	}
}

func (c *Client) ownFileHost(host string) bool {
	host, own := strings.ToLower(host), strings.ToLower(c.uploads.Hostname())
	if host == own {
		return true
	}
	domains := slices.Clone(fileHosts)
	// An IP address has no registrable domain.
	if domain, err := publicsuffix.EffectiveTLDPlusOne(own); err == nil && net.ParseIP(own) == nil {
		domains = append(domains, domain)
	}
	return slices.ContainsFunc(domains, func(domain string) bool { return strings.HasSuffix("."+host, "."+domain) })
}
