package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"

	"lumaflow/internal/oneline"
)

// maxText bounds, in bytes, the text of a library or a cloud in an error.
const maxText = 300

// trouble is a cloud's error in one line. What the libraries make of it runs
// over many, repeats the request and may quote an address that is signed.
type trouble struct {
	words string
	err   error
}

func (t *trouble) Error() string { return t.words }

// Unwrap returns the library's error.
func (t *trouble) Unwrap() error { return t.err }

// inWords shortens the error of an operation under ctx. If the context ended,
// that is why it failed.
func inWords(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, errOvertaken) {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	answer, answered := answerIn(err)
	var failed *url.Error
	switch {
	case answered:
		return &trouble{answer.String(), err}
	case errors.As(err, &failed):
		return &trouble{unanswered(failed), err}
	case strings.Contains(err.Error(), "DefaultAzureCredential: failed"):
		// It lists what it has tried, over many lines.
		return &trouble{"there are no credentials for Azure: set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or run `az login`", err}
	default:
		return &trouble{oneline.Truncate(err.Error(), maxText), err}
	}
}

// unanswered tells of a request that was not answered, by host only: its URL may
// hold a signature.
func unanswered(failed *url.Error) string {
	asked, err := url.Parse(failed.URL)
	if err != nil || asked.Host == "" {
		return oneline.Truncate(failed.Err.Error(), maxText)
	}
	return "no answer from " + asked.Host + ": " + oneline.Truncate(failed.Err.Error(), maxText)
}

// answer is how a cloud refuses a request.
type answer struct {
	status int
	// code is the cloud's own, empty if it has none.
	code, text string
}

func (a answer) String() string {
	switch {
	case a.code != "" && a.text != "" && a.text != a.code:
		return a.code + ": " + oneline.Truncate(a.text, maxText)
	case a.code != "":
		return a.code
	case a.text != "":
		return fmt.Sprintf("status %d: %s", a.status, oneline.Truncate(a.text, maxText))
	default:
		return fmt.Sprintf("status %d %s", a.status, http.StatusText(a.status))
	}
}

// answerIn finds the answer of whichever cloud in an error.
func answerIn(err error) (answer, bool) {
	var amazon smithy.APIError
	var response *awshttp.ResponseError
	var google *googleapi.Error
	var azure *azcore.ResponseError
	switch {
	case errors.As(err, &amazon):
		found := answer{code: amazon.ErrorCode(), text: amazon.ErrorMessage()}
		if errors.As(err, &response) {
			found.status = response.HTTPStatusCode()
		}
		return found, true
	case errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusMultipleChoices:
		return answer{status: response.HTTPStatusCode()}, true
	case errors.As(err, &google):
		return answer{status: google.Code, text: google.Message}, true
	case errors.As(err, &azure):
		return answer{status: azure.StatusCode, code: azure.ErrorCode}, true
	case errors.Is(err, storage.ErrBucketNotExist):
		return answer{status: http.StatusNotFound, code: noBucket, text: "there is no such bucket"}, true
	case errors.Is(err, storage.ErrObjectNotExist):
		return answer{status: http.StatusNotFound, text: "there is no such object"}, true
	default:
		return answer{}, false
	}
}

// noBucket is S3's code, noContainer Azure's, for a bucket that does not exist.
const (
	noBucket    = "NoSuchBucket"
	noContainer = "ContainerNotFound"
)

// missing reports whether an error says that there is no such object.
func missing(err error) bool {
	answer, answered := answerIn(err)
	var failed *url.Error
	switch {
	case answered:
		return answer.status == http.StatusNotFound && answer.code != noBucket && answer.code != noContainer
	case errors.As(err, &failed):
		// gocloud takes a host that has no address for an answer.
		return false
	default:
		return gcerrors.Code(err) == gcerrors.NotFound
	}
}
