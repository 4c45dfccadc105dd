package campaign

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/store"
	"lumaflow/workflows"
)

// seedResult is the result of a seed.
type seedResult struct {
	seed   int64
	took   time.Duration
	ledger kietest.Ledger
	// injected holds the times of the injected deaths by kind.
	injected map[string][]time.Time
	jobs     []jobResult
	files    int
	problems []string
}

// jobResult is one job in its history and on the bill.
type jobResult struct {
	job     job
	history *jobHistory
	charges []kietest.Charge
	// faults are those that hit the job.
	faults []string
	// passed is true if the job ended as it must.
	passed bool
}

// verify checks the bill, the files, the histories and the logs of the seed.
func (r *seedRun) verify(ctx context.Context, took time.Duration) (*seedResult, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	result := &seedResult{seed: r.schedule.seed, took: took, ledger: r.w.kie.Ledger(), injected: r.injected}
	// expected collects the names of the files that must be in the output folder.
	expected := map[string]bool{}
	for _, job := range r.schedule.jobs {
		history, err := r.w.readHistory(ctx, job.id)
		if err != nil {
			r.problem("%v", err)
			continue
		}
		checked := jobResult{job: job, history: history, charges: chargesOf(result.ledger, job.prompt)}
		before := len(r.problems)
		r.verifyJob(&checked, expected)
		checked.passed = len(r.problems) == before
		result.jobs = append(result.jobs, checked)
	}
	r.verifyCollected(ctx, expected)
	result.files = len(expected)
	r.verifyBill(result)
	if result.ledger.ForgedDownloads > 0 {
		r.problem("%d downloads of links that only a forged callback contained", result.ledger.ForgedDownloads)
	}
	r.verifyOutput(expected)
	if err := r.w.awaitReady(ctx); err != nil {
		r.problem("%v", err)
	}
	r.verifyNoOpenFiles(ctx)
	if err := r.w.drain(); err != nil {
		r.problem("%v", err)
	}
	r.verifyNoOtherFiles()
	if err := r.writeHistories(result.jobs); err != nil {
		return nil, err
	}
	r.verifySecrets(result.jobs)
	r.verifyEncryption(result.jobs)
	result.problems = r.problems
	return result, r.writeSummary()
}

// verifyBill requires that every charge belongs to a job, and that the provider
// confirms every refusal.
func (r *seedRun) verifyBill(result *seedResult) {
	owned, refused := 0, 0
	for _, checked := range result.jobs {
		owned += len(checked.charges)
		if slices.Contains(checked.faults, kietest.Refused) {
			refused++
		}
	}
	if owned != len(result.ledger.Tasks) {
		r.problem("%d charges on the bill, of which %d belong to jobs", len(result.ledger.Tasks), owned)
	}
	if refused > result.ledger.Faults[kietest.Refused] {
		r.problem("%d jobs report a refusal, the provider refused %d", refused, result.ledger.Faults[kietest.Refused])
	}
}

// verifyJob compares one job with the bill and adds the names of its files to
// expected.
func (r *seedRun) verifyJob(checked *jobResult, expected map[string]bool) {
	id, history := checked.job.id, checked.history
	if history.broken != "" {
		r.problem("job %s: %s", id, history.broken)
	}
	if len(checked.charges) > 0 && checked.charges[0].Model != checked.job.model {
		r.problem("job %s: model %q was submitted for %q", id, checked.charges[0].Model, checked.job.model)
	}
	if len(checked.charges) > 1 {
		r.problem("job %s was charged %d times", id, len(checked.charges))
	}
	if history.closed == enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED {
		r.problem("job %s never ended", id)
		return
	}
	if len(checked.charges) == 0 {
		r.verifyUncharged(checked)
		return
	}
	charge := checked.charges[0]
	checked.faults = charge.Met
	if charge.CallBackURL != r.w.minter.BrandURL(kie.Brand(checked.job.model), namespace, id) {
		r.problem("job %s: task %s was submitted with a callback URL that is not the job's", id, charge.TaskID)
	}
	if history.resolved == workflows.AdoptTask && charge.Callbacks.Acknowledged > 0 {
		r.problem("job %s needed an operator although the callback of task %s was accepted", id, charge.TaskID)
	}
	switch charge.State {
	case kietest.Succeeded:
		if history.unknown && history.result == nil && slices.Contains(charge.Met, kietest.RecordDown) {
			// No record could confirm the task of the submission.
			r.verifyFailure(checked, charge.TaskID, workflows.SubmitUnknown)
			return
		}
		r.verifyFiles(checked, charge, expected)
	case kietest.Failed:
		types := []string{workflows.GenerationFailed}
		if history.resolved == workflows.Resubmit {
			// The outcome of the first submission is on the bill only.
			types = append(types, workflows.SubmitUnknown)
		}
		r.verifyFailure(checked, charge.TaskID, types...)
	default:
		r.problem("job %s ended while task %s was still running", id, charge.TaskID)
	}
}

// verifyUncharged requires that the job was refused: no other fault ends a job
// without a charge. The exception is a worker that dies between its intent and
// its request, if no operator resubmits in time.
func (r *seedRun) verifyUncharged(checked *jobResult) {
	history := checked.history
	if history.unknown && history.resolved == "" {
		r.verifyFailure(checked, "", workflows.SubmitUnknown)
		return
	}
	if !slices.Contains(checked.job.faults, kietest.Refused) {
		r.problem("job %s ended as %s and was never charged: %s", checked.job.id, history.closed, history.failure.GetMessage())
		return
	}
	checked.faults = []string{kietest.Refused}
	if history.resolved == workflows.Resubmit {
		// The outcome of the first submission is on the bill only.
		r.verifyFailure(checked, "", workflows.SubmitUnknown)
		return
	}
	r.verifyFailure(checked, "", workflows.SubmitRefused)
}

// verifyFailure requires a failure of one of the types, with a message that names
// the job, the task and the next command.
func (r *seedRun) verifyFailure(checked *jobResult, taskID string, types ...string) {
	id, history := checked.job.id, checked.history
	if history.closed != enumspb.WORKFLOW_EXECUTION_STATUS_FAILED {
		r.problem("job %s ended as %s and should have failed", id, history.closed)
		return
	}
	message := history.failure.GetMessage()
	if failed := history.failure.GetApplicationFailureInfo().GetType(); !slices.Contains(types, failed) {
		r.problem("job %s failed as %s, not as %s: %s", id, failed, strings.Join(types, " or "), message)
	}
	for _, part := range []string{id, taskID, "Next: "} {
		if !strings.Contains(message, part) {
			r.problem("job %s: its failure message lacks %q: %s", id, part, message)
		}
	}
}

// verifyFiles compares the stored videos with the served ones, and the receipt
// with both.
func (r *seedRun) verifyFiles(checked *jobResult, charge kietest.Charge, expected map[string]bool) {
	id, result := checked.job.id, checked.history.result
	if result == nil {
		r.problem("job %s: task %s is paid and has a video, but the job ended as %s: %s", id, charge.TaskID, checked.history.closed, checked.history.failure.GetMessage())
		return
	}
	if result.TaskID != charge.TaskID {
		r.problem("job %s ended with task %s, but was charged for %s", id, result.TaskID, charge.TaskID)
	}
	receiptName := store.Naming(kie.Brand(charge.Model)).ReceiptName(checked.job.name, charge.TaskID)
	expected[receiptName] = true
	receipt, err := r.readReceipt(receiptName)
	if err != nil {
		r.problem("job %s: %v", id, err)
		return
	}
	if receipt.TaskID != charge.TaskID || receipt.Model != charge.Model || receipt.Prompt != checked.job.prompt || len(receipt.Files) != len(charge.Results) {
		r.problem("job %s: the receipt %s does not match task %s and its %d files", id, receiptName, charge.TaskID, len(charge.Results))
		return
	}
	for i, served := range charge.Results {
		name := store.Naming(kie.Brand(charge.Model)).VideoName(checked.job.name, charge.TaskID, i+1, ".mp4")
		expected[name] = true
		hash, err := hashFile(filepath.Join(r.output.folder, name))
		switch {
		case err != nil:
			r.problem("job %s: %v", id, err)
		case hash != served.SHA256:
			r.problem("job %s: the bytes of %s differ from the served ones", id, name)
		case receipt.Files[i].Name != name || receipt.Files[i].SHA256 != hash || receipt.Files[i].Bytes != served.Bytes:
			r.problem("job %s: the receipt does not match %s", id, name)
		case i >= len(result.Videos) || result.Videos[i].SHA256 != hash || path.Base(result.Videos[i].Location) != url.PathEscape(name):
			r.problem("job %s: its result does not match %s", id, name)
		}
	}
}

func (r *seedRun) readReceipt(name string) (receipt store.Receipt, err error) {
	data, err := os.ReadFile(filepath.Join(r.output.folder, name))
	if err != nil {
		return receipt, err
	}
	if err := json.Unmarshal(data, &receipt); err != nil {
		return receipt, fmt.Errorf("receipt %s: %w", name, err)
	}
	return receipt, nil
}

// verifyOutput requires that the output folder holds no other published files than
// the expected ones, and that none changed after its publication.
func (r *seedRun) verifyOutput(expected map[string]bool) {
	if err := r.output.scan(); err != nil {
		r.problem("%v", err)
	}
	for _, name := range r.output.changed() {
		r.problem("%s changed after its publication", name)
	}
	for _, name := range r.output.names() {
		if !expected[name] {
			r.problem("%s is in the output folder and belongs to no completed job", name)
		}
	}
}
