package workflows

import "lumaflow/activities"

// a is never set: it lends its methods as activity references.
var a *activities.Activities
