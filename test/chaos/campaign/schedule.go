package campaign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/kie/kietest"
)

// schedule is what one seed means: who is asked for what and meets which
// faults, and what dies when. How the processes then get in each other's way is
// up to the machine.
type schedule struct {
	seed   int64
	jobs   []job
	deaths []death
}

// job is one submission of the schedule.
type job struct {
	id     string
	prompt string
	// name prefixes the stored files; it is hostile now and then.
	name   string
	faults []string
	// start is when it is submitted, from the beginning of the run.
	start time.Duration
}

// death is one blow from outside.
type death struct {
	kind string
	// pause is the time since the blow before, atCharge has it wait for the next
	// charge on top of that: the moment at which most is at stake.
	pause    time.Duration
	atCharge bool
	// lasts is how long the victim stays away.
	lasts time.Duration
	// which is the victim where there are several.
	which int
}

const (
	// jobsPerDeal is for how many jobs each fault is dealt once.
	jobsPerDeal = 25
	// slowDeal is how many jobs of a slow seed find record-info down.
	slowDeal = 7
	// submitWithin is the time in which all jobs are submitted.
	submitWithin = 6 * time.Second
)

var names = []string{"", "", "", "take", "../../escape", "/etc/passwd", "..", "a\x00b", "CON", "-rf", "käse ☃", strings.Repeat("long", 60)}

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
	planned.deal(random, from)
	for i := range planned.jobs {
		planned.jobs[i].prompt = prompt(random, planned.jobs[i])
	}
	planned.deaths = drawDeaths(random, from.deaths)
	return planned
}

// prompt is unique to the job, and tells the simulator what the job meets.
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

// deal hands every fault on the menu to some jobs, like cards: each is dealt
// once for every jobsPerDeal jobs, so that even a short campaign meets all.
func (s *schedule) deal(random *rand.Rand, from menu) {
	// A lost answer whose callback never comes, either, needs an operator. That
	// is rare in life and must not be the rule here.
	needsOperator := random.IntN(6) == 0
	copies := max(1, len(s.jobs)/jobsPerDeal)
	var deck []kietest.Fault
	for _, fault := range from.faults {
		times := copies
		if fault.Name == kietest.RecordDown {
			times = 0
			if from.slow || s.seed%slowEvery == 0 {
				times = slowDeal
			}
		}
		for range times {
			deck = append(deck, fault)
		}
	}
	random.Shuffle(len(deck), func(i, k int) { deck[i], deck[k] = deck[k], deck[i] })
	// What shuts out most is dealt first.
	slices.SortStableFunc(deck, func(a, b kietest.Fault) int { return exclusive(b) - exclusive(a) })
	for _, fault := range deck {
		for _, i := range random.Perm(len(s.jobs)) {
			taker := &s.jobs[i]
			if taker.takes(fault, needsOperator) {
				taker.faults = append(taker.faults, fault.Name)
				break
			}
		}
	}
}

func exclusive(fault kietest.Fault) int {
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

// takes says whether a fault can really hit the job beside those it has: what
// never comes to pass tests nothing.
func (j *job) takes(fault kietest.Fault, needsOperator bool) bool {
	for _, name := range j.faults {
		has := faultNamed(name)
		switch {
		case has.Stage == fault.Stage,
			shutsOut(has, fault), shutsOut(fault, has),
			!needsOperator && (bothIn(name, fault.Name, noAnswer, noCallback)):
			return false
		}
	}
	return true
}

// shutsOut says that a job that meets one fault can't meet, or not survive, the
// other.
func shutsOut(one, other kietest.Fault) bool {
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

// drawDeaths has each kind strike once, in any order. Workers are killed twice:
// they are where the money goes through.
func drawDeaths(random *rand.Rand, kinds []string) []death {
	if slices.Contains(kinds, WorkerKilled) {
		kinds = append(slices.Clone(kinds), WorkerKilled)
	}
	var deaths []death
	for _, i := range random.Perm(len(kinds)) {
		blow := death{
			kind:     kinds[i],
			pause:    300*time.Millisecond + upTo(random, 2*time.Second),
			atCharge: random.IntN(3) == 0,
			lasts:    300*time.Millisecond + upTo(random, 3*time.Second),
			which:    random.IntN(workers),
		}
		// Some stay away for longer than the heartbeat of a submission may.
		if random.IntN(5) == 0 && blow.kind != WebhookKilled && blow.kind != WorkerKilled {
			blow.lasts = 21*time.Second + upTo(random, 4*time.Second)
		}
		deaths = append(deaths, blow)
	}
	return deaths
}

func upTo(random *rand.Rand, below time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(below)))
}
