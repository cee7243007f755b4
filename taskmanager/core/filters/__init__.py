"""The filter language: `status = open and (priority >= high or assignee = me)`. See docs/filters.md."""
