// SPDX-License-Identifier: MIT
#include "verdict.h"

void refuse_for_reason(struct verdict *v, int errnum, const char *reason)
{
	v->result = (struct idm_explain_result)IDM_EXPLAIN_RESULT_INIT;
	v->result.errnum = errnum;
	v->reason = reason;
	v->is_unknown = false;
	v->other_errnum = 0;
}
