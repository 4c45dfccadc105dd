package kietest

import (
	"maps"
	"slices"
	"time"
)

// Ledger is a snapshot of the bill and of all counters. It is the answer of GET
// /_sim/ledger.
type Ledger struct {
	Seed int64 `json:"seed"`
	// Charges is the number of accepted submissions, each for Price credits.
	// Failed generations are not refunded.
	Charges int     `json:"charges"`
	Credits float64 `json:"credits"`
	// Tasks are the charges, oldest first.
	Tasks []Charge `json:"tasks"`
	// Refused counts the refused submissions by code.
	Refused map[int]int `json:"refused"`
	// Faults counts the injections of each fault.
	Faults    map[string]int `json:"faults"`
	Callbacks Callbacks      `json:"callbacks"`
	Polls     int            `json:"polls"`
	Downloads int            `json:"downloads"`
	Counts
}

// Counts are counters that belong to no charge.
type Counts struct {
	Uploads int `json:"uploads"`
	// Mints counts the links returned by download-url.
	Mints int `json:"mints"`
	// UnknownPolls counts record-info requests for tasks that do not exist.
	UnknownPolls int `json:"unknownPolls"`
	// ForgedDownloads counts requests for links that only a forged callback held.
	// A client that reads the record instead causes none.
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
	// Model is empty for Luma Modify, Options are the model's own fields as JSON.
	Model   string `json:"model,omitempty"`
	Options string `json:"options,omitempty"`
	// Cost is in credits: Price, or 0 for a failed task of Market.
	Cost float64 `json:"cost"`
	// Faults were chosen for the job, Met are those of them that have occurred,
	// including those before the charge.
	Faults []string `json:"faults"`
	Met    []string `json:"met"`
	// Response is the fate of the answer to the submission: ResponseSent, "lost",
	// "http-500", "garbled", "abandoned" (the client disconnected), or empty
	// before the answer.
	Response string `json:"response"`
	State    State  `json:"state"`
	// Flag is the record's successFlag without the faults of a record.
	Flag int `json:"flag"`
	// Ended is the end of the generation; zero while it runs.
	Ended   time.Time `json:"ended,omitzero"`
	Results []Result  `json:"results"`
	// Settled means that no further callback will be sent.
	Settled   bool      `json:"settled"`
	Callbacks Callbacks `json:"callbacks"`
	Polls     int       `json:"polls"`
	// Downloads counts the GETs of results, including incomplete ones.
	Downloads int `json:"downloads"`
}

// Result is one result file, as a correct client downloads it.
type Result struct {
	URL    string `json:"url"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Callbacks counts deliveries.
type Callbacks struct {
	// Sent counts attempts with the genuine callback, including repetitions.
	Sent         int `json:"sent"`
	Acknowledged int `json:"acknowledged"`
	Failed       int `json:"failed"`
	// Forged counts forged callbacks, ForgedAcknowledged those of them with
	// status 200.
	Forged             int `json:"forged"`
	ForgedAcknowledged int `json:"forgedAcknowledged"`
	// WrongTask counts genuine callbacks for a task of another job.
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

// Ledger returns a snapshot of the bill. It holds a charge before the submission is
// answered; counters of polls and downloads may lag behind the client.
func (s *Server) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	ledger := Ledger{
		Seed:    s.schedule.seed,
		Charges: len(s.charges),
		Credits: s.credits,
		Tasks:   make([]Charge, 0, len(s.charges)),
		Refused: maps.Clone(s.refusals),
		Faults:  maps.Clone(s.faultCounts),
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

// charge is a task's entry on the bill. Callers hold Server.mu and
// Server.faultMu.
func (t *task) charge() Charge {
	charge := Charge{
		TaskID:      t.id,
		Time:        t.created,
		Prompt:      t.request.Prompt,
		VideoURL:    t.request.VideoURL,
		CallBackURL: t.request.CallBackURL,
		Watermark:   t.request.Watermark,
		Model:       t.request.Model,
		Options:     t.request.Options,
		Cost:        t.cost(),
		Faults:      append([]string{}, t.faults.chosen...),
		Met:         t.met(),
		Response:    t.response,
		State:       t.state(),
		Flag:        t.lumaFlag(),
		Ended:       t.ended,
		Results:     make([]Result, 0, len(t.results)),
		Settled:     t.callbacksEnded,
		Callbacks:   t.callbacks,
		Polls:       t.polls,
		Downloads:   t.downloads,
	}
	for _, result := range t.results {
		last := result.encodings[len(result.encodings)-1]
		charge.Results = append(charge.Results, Result{URL: result.url(result.generation), Bytes: last.size, SHA256: last.sha256})
	}
	return charge
}

// met returns the faults that have occurred. Callers hold Server.mu and
// Server.faultMu.
func (t *task) met() []string {
	met := []string{}
	for _, fault := range t.faults.chosen {
		hits := t.faults.hits[fault] + t.job.faults.hits[fault]
		for _, result := range t.results {
			hits += result.faults.hits[fault]
		}
		if hits > 0 {
			met = append(met, fault)
		}
	}
	return slices.Clip(met)
}
