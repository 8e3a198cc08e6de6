/* SPDX-License-Identifier: MIT */
/* The loop of the service. */
#ifndef IDM_SERVICE_SERVE_H
#define IDM_SERVICE_SERVE_H

#include <stdbool.h>

/* Serves until SIGTERM or SIGINT, which are blocked. Returns an exit status. */
int serve(int listener, bool any_directory);

#endif
