"""The five questions as studies: protocols, designs, tables of results, inference and findings."""
