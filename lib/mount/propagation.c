// SPDX-License-Identifier: MIT
#include "propagation.h"

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

uint64_t idm_propagation_flag(enum idm_propagation propagation)
{
	static const uint64_t flags[] = {
		[IDM_PROPAGATION_PRIVATE] = MS_PRIVATE,
		[IDM_PROPAGATION_SLAVE] = MS_SLAVE,
		[IDM_PROPAGATION_SHARED] = MS_SHARED,
		[IDM_PROPAGATION_UNBINDABLE] = MS_UNBINDABLE,
	};

	return (unsigned int)propagation < ARRAY_SIZE(flags) ? flags[propagation] : 0;
}
