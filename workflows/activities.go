package workflows

import "lumaflow/activities"

// a stays nil: its methods serve as activity references.
var a *activities.Activities
