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

// UploadLifetime is how long kie.ai keeps an upload at least: its pages say 24
// hours in one place and three days in another.
const UploadLifetime = 24 * time.Hour

// fileHosts are the domains that kie.ai has been seen to serve files from,
// beside that of the upload host. (file-upload-api, get-luma-modify-details)
var fileHosts = []string{"redpandaai.co", "aiquickdraw.com", "kie.ai"}

// Uploaded is a video that kie.ai keeps for a while.
type Uploaded struct {
	// URL is what to submit. It is on a host of kie.ai's or on the domain of
	// the upload host, and https if the upload was.
	URL string
	// Expires is when kie.ai says that it deletes the video; zero if it does
	// not say. Only one of the two documented answers does.
	Expires time.Time
}

// uploaded reads the answer to an upload of a size, in bytes; zero or less
// means that the size is not known. Of the link, the documented shapes of the
// answer have only downloadUrl in common.
func (c *Client) uploaded(a answer, size int64) (Uploaded, error) {
	if !a.ok() || string(a.fields["success"]) == "false" {
		err := a.failed()
		if ClassOf(err) == NotFound {
			return Uploaded{}, a.failure(Refused, a.err)
		}
		return Uploaded{}, err
	}
	if kept, ok := a.data.integer("fileSize"); ok && size > 0 && int64(kept) != size {
		return Uploaded{}, a.failure(Temporary, fmt.Errorf("kie.ai kept %d bytes of %d", kept, size))
	}
	for _, spelling := range []string{"downloadUrl", "fileUrl"} {
		found := linksIn(a.data[spelling])
		if len(found) == 0 {
			continue
		}
		if err := c.checkLink(found[0]); err != nil {
			return Uploaded{}, a.failure(Refused, err)
		}
		// A time that can't be read is as good as none.
		expires, _ := time.Parse(time.RFC3339, asText(a.data["expiresAt"]))
		return Uploaded{URL: found[0], Expires: expires}, nil
	}
	return Uploaded{}, a.failure(Temporary, errors.New("the answer holds no link"))
}

// checkLink refuses the link to an upload that leads elsewhere than to kie.ai:
// somebody else's video would be paid for.
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
	// An IP address has no domain around it.
	if domain, err := publicsuffix.EffectiveTLDPlusOne(own); err == nil && net.ParseIP(own) == nil {
		domains = append(domains, domain)
	}
	return slices.ContainsFunc(domains, func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain)
	})
}
