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

var (
	errConflict = errors.New("the object was written concurrently")
	errStalled  = errors.New("the transfer stalled for minutes and was canceled")
	errNoAnswer = errors.New("no answer within the timeout")
)

// shortError is a cloud's error in one line. The text of the library has many
// lines, repeats the request and may quote a signed URL.
type shortError struct {
	text string
	err  error
}

func (e *shortError) Error() string { return e.text }

// Unwrap returns the library's error.
func (e *shortError) Unwrap() error { return e.err }

// shorten shortens the error of an operation under ctx. If ctx has ended, the
// result is its cause.
func shorten(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, errConflict) {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	answer, answered := answerIn(err)
	var failed *url.Error
	switch {
	case answered:
		return &shortError{answer.String(), err}
	case errors.As(err, &failed):
		return &shortError{unanswered(failed), err}
	case strings.Contains(err.Error(), "DefaultAzureCredential: failed"):
		// Its text lists every attempted credential.
		return &shortError{"there are no credentials for Azure: set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or run `az login`", err}
	default:
		return &shortError{oneline.Truncate(err.Error(), maxText), err}
	}
}

// unanswered describes a request without an answer by its host only, since its URL
// may contain a signature.
func unanswered(failed *url.Error) string {
	address, err := url.Parse(failed.URL)
	if err != nil || address.Host == "" {
		return oneline.Truncate(failed.Err.Error(), maxText)
	}
	return "no answer from " + address.Host + ": " + oneline.Truncate(failed.Err.Error(), maxText)
}

// answer is a cloud's answer to a request that failed.
type answer struct {
	status int
	// code is the cloud's error code, empty if it has none.
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

// answerIn extracts the answer of any of the clouds from an error.
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

// noBucket and noContainer are the codes of S3 and Azure for a missing bucket.
const (
	noBucket    = "NoSuchBucket"
	noContainer = "ContainerNotFound"
)

// missing reports whether an error means that the object does not exist.
func missing(err error) bool {
	answer, answered := answerIn(err)
	var failed *url.Error
	switch {
	case answered:
		return answer.status == http.StatusNotFound && answer.code != noBucket && answer.code != noContainer
	case errors.As(err, &failed):
		// gocloud maps an unknown host to NotFound too.
		return false
	default:
		return gcerrors.Code(err) == gcerrors.NotFound
	}
}
