variable "organization" {
  description = "Name of the organization. Defaults to the provider's organization."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "Prefix of the generated name of the agent pool."
  type        = string
}

variable "description" {
  description = "Description of the agent pool."
  type        = string
  default     = null
}

variable "stacks" {
  description = "Stacks to assign to the agent pool."
  type        = set(object({ project = string, stack = string }))
  default     = []
}

variable "is_default" {
  description = "Whether to make the agent pool the default of the organization."
  type        = bool
  default     = false
}

variable "min_runners" {
  description = "Minimum number of runners that must be online before stacks or the default move to the agent pool. 0 does not wait."
  type        = number
  default     = 0
}

variable "force_destroy" {
  description = "Whether to delete the agent pool even if stacks use it."
  type        = bool
  default     = false
}

variable "drain_timeout" {
  description = "Maximum time to wait for running deployments before the agent pool is deleted, such as 30m."
  type        = string
  default     = null
}

variable "rotate_triggers" {
  description = "Arbitrary key-value pairs that, when changed, replace the agent pool and its token."
  type        = map(string)
  default     = null
}

variable "oidc_token_file" {
  description = "Path, on the machine of the runners, to a file with an ID token to authenticate with. Defaults to the token of the agent pool."
  type        = string
  default     = null
}

variable "deploy_target" {
  description = "Where runners execute deployments: docker, kubernetes or ecs."
  type        = string
  default     = "docker"

  validation {
    condition     = contains(["docker", "kubernetes", "ecs"], var.deploy_target)
    error_message = "Set deploy_target to docker, kubernetes or ecs."
  }
}

variable "service_url" {
  description = "URL of a self-hosted Pulumi Cloud. Defaults to https://api.pulumi.com."
  type        = string
  default     = null
}
