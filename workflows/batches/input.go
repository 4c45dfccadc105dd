package batches

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"lumaflow/workflows/fields"
)

// inputFields are the fields of an input that clients may set.
var inputFields = fields.Names[Input]()

// UnmarshalJSON never fails: Validate reports an input of the wrong shape, so that the
// batch ends as an InvalidRequest with a readable message.
func (in *Input) UnmarshalJSON(data []byte) error {
	type plain Input
	if err := json.Unmarshal(data, (*plain)(in)); err != nil {
		in.malformed = fmt.Errorf("the input is malformed: %s", strings.TrimPrefix(err.Error(), "json: "))
		return nil
	}
	in.malformed = fields.Unknown(data, inputFields)
	return nil
}

// WorkflowInput implements codec.WorkflowInput.
func (Input) WorkflowInput() {}

// Validate returns an error about the first invalid field, which it names.
func (in Input) Validate() error {
	size := 0
	for _, item := range in.Items {
		size += len(item)
	}
	switch {
	case in.malformed != nil:
		return in.malformed
	case in.Continued != nil:
		return in.Continued.validate()
	case in.Manifest == "" && len(in.Items) == 0:
		return errors.New("the jobs are missing: give manifest or items")
	case in.Manifest != "" && len(in.Items) > 0:
		return errors.New("manifest and items exclude each other")
	case len(in.Items) > MaxItems:
		return fields.Errorf("items", "has %d jobs: give at most %d, or a manifest", len(in.Items), MaxItems)
	case size > MaxItemsBytes:
		return fields.Errorf("items", "has %d bytes: give at most %d, or a manifest", size, MaxItemsBytes)
	case in.Concurrency < 0 || in.Concurrency > MaxConcurrency:
		return checkConcurrency(in.Concurrency)
	case in.Budget < 0:
		return fields.Errorf("budget", "is %d: give the greatest number of paid submissions, or 0 for no limit", in.Budget)
	case in.Canary < 0:
		return fields.Errorf("canary", "is %d: give the number of first jobs that must succeed, or 0 for none", in.Canary)
	case !(in.MaxFailureRate >= 0 && in.MaxFailureRate <= 1):
		return fields.Errorf("maxFailureRate", "is %g: give a number from 0 to 1, such as 0.2", in.MaxFailureRate)
	default:
		return nil
	}
}

func checkConcurrency(concurrency int) error {
	if concurrency < 1 || concurrency > MaxConcurrency {
		return fields.Errorf("concurrency", "is %d: give 1 to %d open jobs", concurrency, MaxConcurrency)
	}
	return nil
}

// validate rejects a state that no run has left.
func (s *State) validate() error {
	if s.Manifest == "" || s.SHA256 == "" || s.Next < 0 || s.Concurrency < 1 || s.Concurrency > MaxConcurrency {
		return fields.Errorf("continued", "is set by the batch itself: leave it out")
	}
	return nil
}
