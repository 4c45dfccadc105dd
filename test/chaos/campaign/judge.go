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

	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/store"
	"lumaflow/workflows"
)

// outcome is what became of a seed.
type outcome struct {
	seed     int64
	took     time.Duration
	ledger   kietest.Ledger
	struck   map[string][]time.Time
	lives    []life
	files    int
	problems []string
}

// life is one job as its history, the bill and the disk agree on it.
type life struct {
	job     job
	story   *story
	charges []kietest.Charge
	// met are the faults that really hit the job.
	met []string
	// well says that it ended as it had to.
	well bool
}

// judge holds the seed against the promise: the bill, the disk, the histories
// and the logs.
func (p *playing) judge(ctx context.Context, took time.Duration) (*outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	o := &outcome{seed: p.schedule.seed, took: took, ledger: p.kie.Ledger(), struck: p.struck}
	wanted := map[string]bool{}
	for _, job := range p.schedule.jobs {
		told, err := p.read(ctx, job.id)
		if err != nil {
			p.problem("%v", err)
			continue
		}
		lived := life{job: job, story: told, charges: chargesOf(o.ledger, job.prompt)}
		before := len(p.problems)
		p.judgeJob(&lived, wanted)
		lived.well = len(p.problems) == before
		o.lives = append(o.lives, lived)
	}
	o.files = len(wanted)
	p.judgeBill(o)
	if o.ledger.ForgedDownloads > 0 {
		p.problem("%d downloads from links that only a forged callback held", o.ledger.ForgedDownloads)
	}
	p.judgeShelf(wanted)
	if err := p.settle(ctx); err != nil {
		p.problem("%v", err)
	}
	p.judgeHandles(ctx)
	if err := p.drain(); err != nil {
		p.problem("%v", err)
	}
	p.judgeFolders()
	if err := p.keepHistories(o.lives); err != nil {
		return nil, err
	}
	p.judgeSecrets(o.lives)
	p.judgeCiphertext(o.lives)
	o.problems = p.problems
	return o, p.keepStory()
}

// judgeBill demands that every line of the bill belongs to a job, and that no
// refusal was made up.
func (p *playing) judgeBill(o *outcome) {
	owned, refused := 0, 0
	for _, lived := range o.lives {
		owned += len(lived.charges)
		if slices.Contains(lived.met, kietest.Refused) {
			refused++
		}
	}
	if owned != len(o.ledger.Tasks) {
		p.problem("%d charges on the bill, of which %d belong to jobs", len(o.ledger.Tasks), owned)
	}
	if refused > o.ledger.Faults[kietest.Refused] {
		p.problem("%d jobs say that they were refused, and %d were", refused, o.ledger.Faults[kietest.Refused])
	}
}

// judgeJob holds one job against the bill. wanted takes the names of the files
// that it must have stored.
func (p *playing) judgeJob(l *life, wanted map[string]bool) {
	id := l.job.id
	if l.story.broken != "" {
		p.problem("job %s: %s", id, l.story.broken)
	}
	if len(l.charges) > 1 {
		p.problem("job %s was charged %d times", id, len(l.charges))
	}
	if l.story.closed == enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED {
		p.problem("job %s never ended", id)
		return
	}
	if len(l.charges) == 0 {
		p.judgeUncharged(l)
		return
	}
	charge := l.charges[0]
	l.met = charge.Met
	if charge.CallBackURL != p.minter.URL(namespace, id) {
		p.problem("job %s: task %s was submitted with another callback URL than the job's", id, charge.TaskID)
	}
	if l.story.resolved == workflows.AdoptTask && charge.Callbacks.Acknowledged > 0 {
		p.problem("job %s needed an operator although the callback of task %s was accepted", id, charge.TaskID)
	}
	switch charge.State {
	case kietest.Succeeded:
		if l.story.lost && l.story.result == nil && slices.Contains(charge.Met, kietest.RecordDown) {
			// Nothing could confirm which task the lost submission became.
			p.judgeFailure(l, charge.TaskID, workflows.SubmitUnknown)
			return
		}
		p.judgeFiles(l, charge, wanted)
	case kietest.Failed:
		types := []string{workflows.GenerationFailed}
		if l.story.resolved == workflows.Resubmit {
			// What became of the first submission nobody knows but the bill.
			types = append(types, workflows.SubmitUnknown)
		}
		p.judgeFailure(l, charge.TaskID, types...)
	default:
		p.problem("job %s ended while task %s was still running", id, charge.TaskID)
	}
}

// judgeUncharged demands that the job was refused, as no other fault lets one end
// without a charge. A worker that dies between its intent and its request does,
// too, if no operator has the job submitted again in time.
func (p *playing) judgeUncharged(l *life) {
	if l.story.lost && l.story.resolved == "" {
		p.judgeFailure(l, "", workflows.SubmitUnknown)
		return
	}
	if !slices.Contains(l.job.faults, kietest.Refused) {
		p.problem("job %s ended as %s and was never charged: %s", l.job.id, l.story.closed, l.story.failure.GetMessage())
		return
	}
	l.met = []string{kietest.Refused}
	if l.story.resolved == workflows.Resubmit {
		// What became of the first submission nobody knows but the bill.
		p.judgeFailure(l, "", workflows.SubmitUnknown)
		return
	}
	p.judgeFailure(l, "", workflows.SubmitRefused)
}

// judgeFailure demands an end that a user can see and act upon.
func (p *playing) judgeFailure(l *life, taskID string, types ...string) {
	id := l.job.id
	if l.story.closed != enumspb.WORKFLOW_EXECUTION_STATUS_FAILED {
		p.problem("job %s ended as %s and should have failed", id, l.story.closed)
		return
	}
	said := l.story.failure.GetMessage()
	if failed := l.story.failure.GetApplicationFailureInfo().GetType(); !slices.Contains(types, failed) {
		p.problem("job %s failed as %s, not as %s: %s", id, failed, strings.Join(types, " or "), said)
	}
	for _, part := range []string{id, taskID, "Next: "} {
		if !strings.Contains(said, part) {
			p.problem("job %s: its failure does not say %q: %s", id, part, said)
		}
	}
}

// judgeFiles compares the stored videos with what the provider served, and the
// receipt with both.
func (p *playing) judgeFiles(l *life, charge kietest.Charge, wanted map[string]bool) {
	id := l.job.id
	if l.story.result == nil {
		p.problem("job %s: task %s is paid and has a video, but the job ended as %s: %s", id, charge.TaskID, l.story.closed, l.story.failure.GetMessage())
		return
	}
	if l.story.result.TaskID != charge.TaskID {
		p.problem("job %s ended with task %s, but was charged for %s", id, l.story.result.TaskID, charge.TaskID)
	}
	receiptName := store.ReceiptName(l.job.name, charge.TaskID)
	wanted[receiptName] = true
	receipt, err := p.receipt(receiptName)
	if err != nil {
		p.problem("job %s: %v", id, err)
		return
	}
	if receipt.TaskID != charge.TaskID || receipt.Prompt != l.job.prompt || len(receipt.Files) != len(charge.Results) {
		p.problem("job %s: the receipt %s does not tell of task %s and its %d files", id, receiptName, charge.TaskID, len(charge.Results))
		return
	}
	for i, served := range charge.Results {
		name := store.VideoName(l.job.name, charge.TaskID, i+1, ".mp4")
		wanted[name] = true
		hash, err := hashFile(filepath.Join(p.shelf.folder, name))
		switch {
		case err != nil:
			p.problem("job %s: %v", id, err)
		case hash != served.SHA256:
			p.problem("job %s: %s is not what the provider served", id, name)
		case receipt.Files[i].Name != name || receipt.Files[i].SHA256 != hash || receipt.Files[i].Bytes != served.Bytes:
			p.problem("job %s: the receipt does not match %s", id, name)
		case i >= len(l.story.result.Videos) || l.story.result.Videos[i].SHA256 != hash || path.Base(l.story.result.Videos[i].Location) != url.PathEscape(name):
			p.problem("job %s: its result does not tell of %s", id, name)
		}
	}
}

func (p *playing) receipt(name string) (receipt store.Receipt, err error) {
	data, err := os.ReadFile(filepath.Join(p.shelf.folder, name))
	if err != nil {
		return receipt, err
	}
	if err := json.Unmarshal(data, &receipt); err != nil {
		return receipt, fmt.Errorf("receipt %s: %w", name, err)
	}
	return receipt, nil
}

// judgeShelf demands that nothing lies under a final name but what is wanted,
// and that all of it was whole from the first moment.
func (p *playing) judgeShelf(wanted map[string]bool) {
	if err := p.shelf.look(); err != nil {
		p.problem("%v", err)
	}
	for _, name := range p.shelf.changed() {
		p.problem("%s changed after it had its final name", name)
	}
	for _, name := range p.shelf.names() {
		if !wanted[name] {
			p.problem("%s lies in the output folder and belongs to no job that ended well", name)
		}
	}
}
