package kietest

// Price is the charge for one accepted submission, in credits. kie.ai documents
// no price of Luma Modify; observed: users assume 100 credits.
//
// The stage of a fault decides its price. A fault of StageAdmission rejects the
// submission and costs nothing. Every other fault comes after the charge and
// costs Price, whatever its effect; the simulator refunds nothing, not even a
// failed generation.
const Price = 100

// defaultCredits is the initial balance.
const defaultCredits = 10_000_000
