#include "common/auth/errors.h"

AUTH_ERR_KINDS(ERR_DEFINE)
