/* SPDX-License-Identifier: MIT */
/* What the linker puts instead of the library's functions, and their new names. */
#ifndef IDM_INTEGRATION_SPAWN_BY_SERVER_H
#define IDM_INTEGRATION_SPAWN_BY_SERVER_H

#include "idmount.h"

int __wrap_idm_child_start(const struct idm_child_options *o, struct idm_error *err);
int __real_idm_child_start(const struct idm_child_options *o, struct idm_error *err);
int __wrap_idm_child_wait(int pidfd, int timeout_ms, struct idm_exit_info *exit, struct idm_error *err);
int __real_idm_child_wait(int pidfd, int timeout_ms, struct idm_exit_info *exit, struct idm_error *err);

#endif
