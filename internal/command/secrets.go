package command

// SecretsHelp is the paragraph on secrets in the help of each command that takes
// one.
const SecretsHelp = "Secrets belong in the environment, not in flags: other users of a machine can read the arguments of a process."
