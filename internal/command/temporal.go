package command

// TemporalHelp is the paragraph on the Temporal server in the help of each command
// that connects to one.
const TemporalHelp = "TEMPORAL_ADDRESS (localhost:7233) and TEMPORAL_NAMESPACE (default) select the Temporal server; CODEC_KEYS encrypts the jobs."
