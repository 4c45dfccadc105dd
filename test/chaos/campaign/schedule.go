package campaign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/kie/kietest"
)

// schedule is the plan of one seed: the jobs with their faults, and the deaths with
// their times. The seed fixes the plan; the interleaving of the processes varies.
type schedule struct {
	seed   int64
	jobs   []job
	deaths []death
}

// job is one submission of the schedule.
type job struct {
	id     string
	prompt string
	// name prefixes the stored files. Some names try to leave the output folder.
	name string
	// model is empty for Luma Modify.
	model  string
	faults []string
	// start is the time of the submission after the begin of the run.
	start time.Duration
}

// death is one planned fault of a process or the disk.
type death struct {
	kind string
	// delay is the time after the death before. With atCharge the death then waits
	// for the next charge, when a lost submission costs money.
	delay    time.Duration
	atCharge bool
	// duration is the downtime of the process, or the time of a full disk.
	duration time.Duration
	// worker is the index of the worker, for the deaths of workers.
	worker int
}

const (
	// jobsPerRound is the number of jobs among which each fault is assigned once.
	jobsPerRound = 25
	// slowJobs is the number of jobs of a slow seed with record-down.
	slowJobs = 7
	// submitWithin is the time within which all jobs are submitted.
	submitWithin = 6 * time.Second
)

var names = []string{"", "", "", "take", "../../escape", "/etc/passwd", "..", "a\x00b", "CON", "-rf", "käse ☃", strings.Repeat("long", 60)}

// models are dealt to the jobs: half of them are Luma Modify.
var models = []string{"", "", "", "", "wan/2-7-videoedit", "happyhorse/video-edit", "kling-3.0-omni/transformation", "aleph"}

func newSchedule(seed int64, jobs int, from menu) schedule {
	random := rand.New(rand.NewPCG(uint64(seed), 0x6c756d61))
	planned := schedule{seed: seed}
	for i := range jobs {
		planned.jobs = append(planned.jobs, job{
			id:    fmt.Sprintf("chaos-%d-%d", seed, i+1),
			name:  names[random.IntN(len(names))],
			start: time.Duration(random.Int64N(int64(submitWithin))),
		})
	}
	// A source of its own leaves the rest of a seed as it was.
	dealt := rand.New(rand.NewPCG(uint64(seed), 0x6b6965))
	for i := range planned.jobs {
		planned.jobs[i].model = models[dealt.IntN(len(models))]
	}
	planned.assignFaults(random, from)
	for i := range planned.jobs {
		if slices.Contains(planned.jobs[i].faults, kietest.RecordDown) {
			// Only a callback of Luma Modify stands in for a record that is always down.
			planned.jobs[i].model = ""
		}
	}
	for i := range planned.jobs {
		planned.jobs[i].prompt = prompt(random, planned.jobs[i])
	}
	planned.deaths = planDeaths(random, from.deaths)
	return planned
}

// prompt is unique to the job and names its faults for the simulator.
func prompt(random *rand.Rand, j job) string {
	text := "job " + j.id
	switch random.IntN(8) {
	case 0:
		text += fmt.Sprintf(" [results: %d]", 2+random.IntN(2))
	case 1, 2:
		text += fmt.Sprintf(" [size: %dKB]", 200+random.IntN(3000))
	}
	if len(j.faults) == 0 {
		return text
	}
	return kietest.WithFaults(text, j.faults...)
}

// assignFaults assigns every fault of the menu to one job in every jobsPerRound, so
// that even a short campaign injects all.
func (s *schedule) assignFaults(random *rand.Rand, from menu) {
	// A lost response with a lost callback needs an operator. That is rare in
	// production, so only some seeds combine them.
	needsOperator := random.IntN(6) == 0
	copies := max(1, len(s.jobs)/jobsPerRound)
	var faults []kietest.Fault
	for _, fault := range from.faults {
		times := copies
		if fault.Name == kietest.RecordDown {
			times = 0
			if from.slow || s.seed%slowEvery == 0 {
				times = slowJobs
			}
		}
		for range times {
			faults = append(faults, fault)
		}
	}
	random.Shuffle(len(faults), func(i, k int) { faults[i], faults[k] = faults[k], faults[i] })
	// Faults that exclude most others are assigned first.
	slices.SortStableFunc(faults, func(a, b kietest.Fault) int { return exclusiveness(b) - exclusiveness(a) })
	for _, fault := range faults {
		for _, i := range random.Perm(len(s.jobs)) {
			candidate := &s.jobs[i]
			if candidate.canMeet(fault, needsOperator) {
				candidate.faults = append(candidate.faults, fault.Name)
				break
			}
		}
	}
}

func exclusiveness(fault kietest.Fault) int {
	switch {
	case fault.Name == kietest.RecordDown:
		return 2
	case fault.Fatal:
		return 1
	default:
		return 0
	}
}

var (
	noAnswer   = []string{kietest.ResponseLost, kietest.Response500, kietest.ResponseGarbled}
	noCallback = []string{kietest.CallbackLost, kietest.CallbackUnsignedSkew}
)

// canMeet reports whether a fault can happen to the job in combination with those
// that it has.
func (j *job) canMeet(fault kietest.Fault, needsOperator bool) bool {
	for _, name := range j.faults {
		has := faultNamed(name)
		switch {
		case has.Stage == fault.Stage,
			excludes(has, fault), excludes(fault, has),
			!needsOperator && (bothIn(name, fault.Name, noAnswer, noCallback)):
			return false
		}
	}
	return true
}

// excludes reports whether a job with one fault can't meet, or can't survive, the
// other.
func excludes(one, other kietest.Fault) bool {
	switch {
	case one.Name == kietest.Refused:
		return true
	case one.Fatal:
		return other.Stage == kietest.StageLink || other.Stage == kietest.StageTransfer
	case one.Name == kietest.RecordDown:
		// The callback is then the only source of the links.
		return other.Stage != kietest.StageAdmission && other.Stage != kietest.StageTransfer
	case one.Name == kietest.UnknownFlag:
		return other.Name == kietest.RecordDown
	}
	return false
}

func bothIn(one, other string, these, those []string) bool {
	return slices.Contains(these, one) && slices.Contains(those, other) ||
		slices.Contains(these, other) && slices.Contains(those, one)
}

func faultNamed(name string) kietest.Fault {
	for _, fault := range kietest.Faults() {
		if fault.Name == name {
			return fault
		}
	}
	return kietest.Fault{}
}

// planDeaths plans each kind once, in random order. Workers are killed twice,
// because they submit.
func planDeaths(random *rand.Rand, kinds []string) []death {
	if slices.Contains(kinds, WorkerKilled) {
		kinds = append(slices.Clone(kinds), WorkerKilled)
	}
	var deaths []death
	for _, i := range random.Perm(len(kinds)) {
		next := death{
			kind:     kinds[i],
			delay:    300*time.Millisecond + upTo(random, 2*time.Second),
			atCharge: random.IntN(3) == 0,
			duration: 300*time.Millisecond + upTo(random, 3*time.Second),
			worker:   random.IntN(workers),
		}
		// Some last longer than the heartbeat timeout of a submission.
		if random.IntN(5) == 0 && next.kind != WebhookKilled && next.kind != WorkerKilled {
			next.duration = 21*time.Second + upTo(random, 4*time.Second)
		}
		deaths = append(deaths, next)
	}
	return deaths
}

func upTo(random *rand.Rand, below time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(below)))
}

// String lists the jobs and the deaths.
func (s schedule) String() string {
	var text strings.Builder
	for _, job := range s.jobs {
		fmt.Fprintf(&text, "%6.2fs  %s  name %.40q  %s\n", job.start.Seconds(), job.id, job.name, job.prompt)
	}
	for _, death := range s.deaths {
		when := ""
		if death.atCharge {
			when = " at the next charge"
		}
		fmt.Fprintf(&text, "+%5.2fs  %s%s, for %.1fs, worker %d\n", death.delay.Seconds(), death.kind, when, death.duration.Seconds(), death.worker+1)
	}
	return text.String()
}
