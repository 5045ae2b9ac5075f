variable "organization" {
  description = "Organization of the agent pool. Defaults to the organization of the provider."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "Prefix of the generated name. A rotation creates the new agent pool before it destroys the old one."
  type        = string
}

variable "description" {
  description = "Description of the agent pool."
  type        = string
  default     = null
}

variable "is_default" {
  description = "Whether this is the default agent pool of the organization, which can have one."
  type        = bool
  default     = false
}

variable "force_destroy" {
  description = "Whether to delete the agent pool even if stacks use it."
  type        = bool
  default     = false
}

variable "rotate_triggers" {
  description = "Arbitrary key-value pairs that, when changed, replace the agent pool and so issue a new token."
  type        = map(string)
  default     = null
}

variable "oidc_token_file" {
  description = "Path on the runners' machine to an ID token. By default runners authenticate with the token of the agent pool."
  type        = string
  default     = null
}

variable "deploy_target" {
  description = "Platform that runs the deployments: `docker`, `kubernetes` or `ecs`."
  type        = string
  default     = "docker"

  validation {
    condition     = contains(["docker", "kubernetes", "ecs"], var.deploy_target)
    error_message = "The deployment target must be docker, kubernetes or ecs."
  }
}

variable "service_url" {
  description = "URL of a self-hosted Pulumi Cloud. Defaults to Pulumi's service."
  type        = string
  default     = null
}
