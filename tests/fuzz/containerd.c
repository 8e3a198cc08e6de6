// SPDX-License-Identifier: MIT
/* Mount lists of containerd. */
#include "fuzz.h"
#include "plans.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_plan_text(IDM_PLAN_READ_CONTAINERD, data, size);
	return 0;
}
