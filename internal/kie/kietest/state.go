package kietest

import (
	"errors"
	"fmt"
	"os"
)

// openState creates the folder for files. With a StateDir it resumes an earlier
// bill.
func (s *Server) openState() error {
	dir := s.options.StateDir
	s.stateful = dir != ""
	var err error
	if s.stateful {
		err = os.MkdirAll(dir, 0o755)
	} else {
		dir, err = os.MkdirTemp("", "kietest-")
	}
	if err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	if s.files, err = os.OpenRoot(dir); err != nil {
		return fmt.Errorf("open the state folder: %w", err)
	}
	for _, folder := range []string{uploadRoot, rendersFolder} {
		if err := s.files.MkdirAll(folder, 0o755); err != nil {
			return errors.Join(fmt.Errorf("make the state folder: %w", err), s.closeState())
		}
	}
	if s.stateful {
		if err := s.resume(); err != nil {
			return errors.Join(err, s.closeState())
		}
	}
	return nil
}

func (s *Server) closeState() error {
	err := errors.Join(s.journal.close(), s.files.Close())
	if !s.stateful {
		err = errors.Join(err, os.RemoveAll(s.files.Name()))
	}
	if err != nil {
		return fmt.Errorf("close the simulator: %w", err)
	}
	return nil
}

// resume restores the bill from the journal and resumes every task. Counters of
// faults, polls and downloads start at zero.
func (s *Server) resume() error {
	journal, entries, err := openJournal(s.files)
	if err != nil {
		return err
	}
	s.journal = journal
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, entry := range entries {
		switch {
		case entry.Charge != nil:
			if err := s.restoreTask(*entry.Charge); err != nil {
				return fmt.Errorf("read the bill: task %s: %w", entry.Charge.TaskID, err)
			}
		case entry.Settled != nil:
			if t, ok := s.tasks[entry.Settled.TaskID]; ok {
				t.callbacksEnded, t.callbackFailed = true, entry.Settled.CallbackFailed
			}
		default:
			s.credits += entry.TopUp
			s.topUps++
		}
	}
	for _, t := range s.charges {
		s.spawn(func() { s.runTask(t) })
	}
	return nil
}

// restoreTask restores a charged task from the journal. Callers hold s.mu.
func (s *Server) restoreTask(line chargeEntry) error {
	marks, err := readMarkers(line.Request.Prompt)
	if err != nil {
		return err
	}
	owner, ok := s.jobs[line.Request]
	if !ok {
		owner = &job{faults: newFaultSet(line.Faults), variant: line.Variant}
		s.jobs[line.Request] = owner
	}
	// The faults before and at the answer have occurred in the earlier process.
	for _, fault := range owner.faults.chosen {
		if stage := faultStage(fault); stage == StageAdmission || stage == StageAnswer {
			owner.faults.hits[fault] = max(1, s.options.FaultRepeats)
		}
	}
	if familyOf(line.Request.Model).single {
		marks.results = 1
	}
	t := newTask(line.TaskID, owner, line.Request, marks, orElse(s.options.BaseURL, line.Base), line.Created)
	s.addCharge(t)
	return nil
}
