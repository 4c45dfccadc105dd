package campaign

// Deal is what a seed means, as text, and which faults each job was dealt.
func Deal(seed int64, jobs int, names ...string) (text string, faults [][]string, deaths []string, err error) {
	chosen, err := newMenu(names)
	if err != nil {
		return "", nil, nil, err
	}
	planned := newSchedule(seed, jobs, chosen)
	for _, job := range planned.jobs {
		faults = append(faults, job.faults)
	}
	for _, blow := range planned.deaths {
		deaths = append(deaths, blow.kind)
	}
	return planned.String(), faults, deaths, nil
}

// Failure is the error of a campaign with this report.
func Failure(report *Report) error { return report.failure() }
