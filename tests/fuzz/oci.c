// SPDX-License-Identifier: MIT
/* config.json of OCI bundles. */
#include "fuzz.h"
#include "plans.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_plan_text(IDM_PLAN_READ_OCI, data, size);
	return 0;
}
