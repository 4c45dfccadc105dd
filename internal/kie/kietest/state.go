package kietest

import (
	"errors"
	"fmt"
	"os"
)

// openState makes the folder for files, and continues an earlier bill if there
// is one to keep.
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

// resume puts the bill back together and lets every task go on. How often each
// fault has hit and what was polled is forgotten, the charges are not.
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
			if err := s.recharge(*entry.Charge); err != nil {
				return fmt.Errorf("read the bill: task %s: %w", entry.Charge.TaskID, err)
			}
		case entry.Settled != nil:
			if t, ok := s.tasks[entry.Settled.TaskID]; ok {
				t.settled, t.callbackFailed = true, entry.Settled.CallbackFailed
			}
		default:
			s.credits += entry.TopUp
			s.topUps++
		}
	}
	for _, t := range s.charges {
		s.spawn(func() { s.live(t) })
	}
	return nil
}

// recharge makes a task from its line. Callers hold s.mu.
func (s *Server) recharge(line chargeEntry) error {
	marks, err := readMarkers(line.Request.Prompt)
	if err != nil {
		return err
	}
	owner, ok := s.jobs[line.Request]
	if !ok {
		owner = &job{exposure: exposedTo(line.Faults), lot: line.Lot}
		s.jobs[line.Request] = owner
	}
	// The job has been admitted before, and its answer was spoilt before.
	for _, fault := range owner.chosen {
		if stage := stageOf(fault); stage == StageAdmission || stage == StageAnswer {
			owner.struck[fault] = max(1, s.options.Strikes)
		}
	}
	t := newTask(line.TaskID, owner, line.Request, marks, orElse(s.options.BaseURL, line.Base), line.Created)
	s.enter(t)
	return nil
}
