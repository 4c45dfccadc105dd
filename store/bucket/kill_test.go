package bucket_test

const victimURL = "LUMAFLOW_TEST_VICTIM_URL"

func victim(string) int { return 1 }
