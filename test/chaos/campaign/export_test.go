package campaign

// Plan is the schedule of a seed as text, with the faults of each job and the
// deaths.
func Plan(seed int64, jobs int, names ...string) (text string, faults [][]string, deaths []string, err error) {
	chosen, err := newMenu(names)
	if err != nil {
		return "", nil, nil, err
	}
	planned := newSchedule(seed, jobs, chosen)
	for _, job := range planned.jobs {
		faults = append(faults, job.faults)
	}
	for _, death := range planned.deaths {
		deaths = append(deaths, death.kind)
	}
	return planned.String(), faults, deaths, nil
}

// Failure is the error of a campaign with this report.
func Failure(report *Report) error { return report.failure() }
