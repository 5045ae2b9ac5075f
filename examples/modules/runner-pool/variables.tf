variable "organization" {
  description = "Organization of the pool. Null for the provider's."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "Beginning of the pool's name. The rest is made up, since rotation takes two pools for a moment."
  type        = string
}

variable "description" {
  description = "What the pool is for."
  type        = string
  default     = null
}

variable "is_default" {
  description = "Whether stacks whose deployment settings name no pool use this one. One pool of an organization can be it."
  type        = bool
  default     = false
}

variable "force_destroy" {
  description = "Whether to delete the pool although stacks' deployment settings name it."
  type        = bool
  default     = false
}

variable "rotate_triggers" {
  description = "Values of any meaning. When one changes, another pool with another token takes this one's place."
  type        = map(string)
  default     = null
}

variable "oidc_token_file" {
  description = "File on the runners' machine that holds an ID token to authenticate with. Null for the pool's token."
  type        = string
  default     = null
}

variable "deploy_target" {
  description = "Where runners run deployments: docker, kubernetes or ecs."
  type        = string
  default     = "docker"

  validation {
    condition     = contains(["docker", "kubernetes", "ecs"], var.deploy_target)
    error_message = "The target is docker, kubernetes or ecs."
  }
}

variable "service_url" {
  description = "URL of a self-hosted Pulumi Cloud. Null for Pulumi's own."
  type        = string
  default     = null
}
