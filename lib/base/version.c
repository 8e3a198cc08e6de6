// SPDX-License-Identifier: MIT
#include "idmount.h"

const char *idm_version(void)
{
	return IDM_VERSION;
}
