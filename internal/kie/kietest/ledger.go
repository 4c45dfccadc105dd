package kietest

import (
	"maps"
	"slices"
	"time"
)

// Ledger is the bill and everything else the simulator has seen, at one moment.
// GET /_sim/ledger answers with it.
type Ledger struct {
	Seed int64 `json:"seed"`
	// Charges is how many submissions were accepted, each for Price credits.
	// Failed generations are not refunded.
	Charges int     `json:"charges"`
	Credits float64 `json:"credits"`
	// Tasks are the charges, oldest first.
	Tasks []Charge `json:"tasks"`
	// Refused counts the submissions that created nothing, by code.
	Refused map[int]int `json:"refused"`
	// Faults counts how often each fault really hit.
	Faults    map[string]int `json:"faults"`
	Callbacks Callbacks      `json:"callbacks"`
	Polls     int            `json:"polls"`
	Downloads int            `json:"downloads"`
	Counts
}

// Counts are sums that belong to no charge.
type Counts struct {
	Uploads int `json:"uploads"`
	// Mints counts the links that download-url gave out.
	Mints int `json:"mints"`
	// UnknownPolls counts record-info requests for tasks that do not exist.
	UnknownPolls int `json:"unknownPolls"`
	// ForgedDownloads counts requests for links that only a forged callback
	// held. A client that checks with record-info causes none.
	ForgedDownloads int `json:"forgedDownloads"`
}

// Charge is one accepted submission.
type Charge struct {
	TaskID      string    `json:"taskId"`
	Time        time.Time `json:"time"`
	Prompt      string    `json:"prompt"`
	VideoURL    string    `json:"videoUrl"`
	CallBackURL string    `json:"callBackUrl,omitempty"`
	Watermark   string    `json:"watermark,omitempty"`
	// Faults were chosen for the job, Met are those that have hit it so far,
	// before the charge too.
	Faults []string `json:"faults"`
	Met    []string `json:"met"`
	// Response is what became of the answer, as far as the simulator knows:
	// ResponseSent, "lost", "http-500", "garbled", "abandoned", or empty while
	// none was given.
	Response string `json:"response"`
	State    State  `json:"state"`
	// Flag is what the record says when no fault is in its way.
	Flag int `json:"flag"`
	// Ended is when the generation did; zero while it runs.
	Ended   time.Time `json:"ended,omitzero"`
	Results []Result  `json:"results"`
	// Settled says that no callback is owed any more.
	Settled   bool      `json:"settled"`
	Callbacks Callbacks `json:"callbacks"`
	Polls     int       `json:"polls"`
	// Downloads counts the GETs of results, complete or not.
	Downloads int `json:"downloads"`
}

// Result is one file a task gave, as a client must end up having it.
type Result struct {
	URL    string `json:"url"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Callbacks counts deliveries.
type Callbacks struct {
	// Sent counts attempts with the genuine callback, repeats included.
	Sent         int `json:"sent"`
	Acknowledged int `json:"acknowledged"`
	Failed       int `json:"failed"`
	// Forged counts those a stranger sent, ForgedAcknowledged those of them
	// that the receiver answered with 200.
	Forged             int `json:"forged"`
	ForgedAcknowledged int `json:"forgedAcknowledged"`
	// WrongTask counts genuine callbacks for somebody else's task.
	WrongTask int `json:"wrongTask"`
}

func (c *Callbacks) add(more Callbacks) {
	c.Sent += more.Sent
	c.Acknowledged += more.Acknowledged
	c.Failed += more.Failed
	c.Forged += more.Forged
	c.ForgedAcknowledged += more.ForgedAcknowledged
	c.WrongTask += more.WrongTask
}

// Ledger returns a copy of the bill. A charge is on it before its submission is
// answered; what clients do with answers may show a moment later.
func (s *Server) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strikes.Lock()
	defer s.strikes.Unlock()
	ledger := Ledger{
		Seed:    s.schedule.seed,
		Charges: len(s.charges),
		Credits: s.credits,
		Tasks:   make([]Charge, 0, len(s.charges)),
		Refused: maps.Clone(s.refusals),
		Faults:  maps.Clone(s.injected),
		Counts:  s.counts,
	}
	for _, t := range s.charges {
		charge := t.charge()
		ledger.Tasks = append(ledger.Tasks, charge)
		ledger.Callbacks.add(charge.Callbacks)
		ledger.Polls += charge.Polls
		ledger.Downloads += charge.Downloads
	}
	return ledger
}

// charge is a task's line on the bill. Callers hold Server.mu and
// Server.strikes.
func (t *task) charge() Charge {
	charge := Charge{
		TaskID:      t.id,
		Time:        t.created,
		Prompt:      t.request.Prompt,
		VideoURL:    t.request.VideoURL,
		CallBackURL: t.request.CallBackURL,
		Watermark:   t.request.Watermark,
		Faults:      append([]string{}, t.chosen...),
		Met:         t.met(),
		Response:    t.response,
		State:       t.state(),
		Flag:        t.flag(),
		Ended:       t.ended,
		Results:     make([]Result, 0, len(t.results)),
		Settled:     t.settled,
		Callbacks:   t.callbacks,
		Polls:       t.polls,
		Downloads:   t.downloads,
	}
	for _, result := range t.results {
		last := result.takes[len(result.takes)-1]
		charge.Results = append(charge.Results, Result{URL: result.url(result.generation), Bytes: last.size, SHA256: last.sha256})
	}
	return charge
}

func (t *task) met() []string {
	met := []string{}
	for _, fault := range t.chosen {
		struck := t.struck[fault] + t.job.struck[fault]
		for _, result := range t.results {
			struck += result.struck[fault]
		}
		if struck > 0 {
			met = append(met, fault)
		}
	}
	return slices.Clip(met)
}
