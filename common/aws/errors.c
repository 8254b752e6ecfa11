#include "common/aws/errors.h"

AWS_ERR_KINDS(ERR_DEFINE)
